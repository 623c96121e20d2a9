/**
 * Stores the observed certificates. The attack: each message presents a new host or certificate, to fill the table and
 * to cause cost. The defence: a process writes a host's certificate once per hour; a connector, or all hosts without a
 * connector together, adds a limited number of hosts per month; only the latest certificates of a host are kept. Not
 * covered: an attacker who redirects a connector's mail can use up the connector's limit of the month. Then later hosts
 * are not recorded.
 */
import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { daySeconds, hourMs } from '../contract/durations.ts'
import { expiryAfter } from '../dynamodb/expiry-after.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { RateLimiter } from '../limits/rate-limiter.ts'
import { type NewObservation, Observation, type ObservedChange } from '../tls/observed/observation.ts'
import { addObservation } from '../tls/observed/observe.ts'
import { newHostCountKey, observedKey } from './keys.ts'

export type RecordResult =
  /**
   * `isNew`: the endpoint presented the certificate for the first time. `change`: the difference from the certificate
   * that was recorded before; null when there is none.
   */
  | { kind: 'Written'; isNew: boolean; change: ObservedChange | null }
  /** This or another process wrote the certificate within the last hour, or other processes won every try. */
  | { kind: 'Known' }
  | { kind: 'LimitReached' }

/** Starts at the last observation. Longer than a year, for a partner that sends once per year. */
const retentionSeconds = 400 * daySeconds
/**
 * Starts at the certificate's expiry, for a host without a connector. The earlier end of the two retentions applies.
 */
const unknownHostRetentionSeconds = 30 * daySeconds

const maxNewHostsPerMonth = 500
/** A month's counter must outlive the month. */
const counterRetentionSeconds = 62 * daySeconds

/**
 * Limits the tries when several processes write the same item. After the last try, this process writes the certificate
 * in the next clock hour at the earliest.
 */
const maxTries = 3

const newItemCondition = 'attribute_not_exists(pk)'
const unchangedCondition = 'revision = :revision'
const belowLimitCondition = 'attribute_not_exists(places) OR places < :maxHosts'

interface Item {
  observation: Observation
  revision: number
}

export class ObservedTable {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #writeLimiter = new RateLimiter(1, hourMs)

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** @throws when the table fails or does not respond before the signal aborts; the next observation tries again */
  async record(presented: NewObservation, now: Date, signal: AbortSignal): Promise<RecordResult> {
    const { pk, sk } = observedKey(presented.endpoint)
    const key = `${pk} ${sk} ${presented.certificate.fingerprint256}`
    if (!this.#writeLimiter.isAllowed(key, now)) return { kind: 'Known' }
    this.#writeLimiter.take(key, now)
    try {
      return await this.#write(presented, now, signal)
    } catch (error) {
      this.#writeLimiter.giveBack(key)
      throw error
    }
  }

  async #write(presented: NewObservation, now: Date, abortSignal: AbortSignal): Promise<RecordResult> {
    for (let tries = 0; tries < maxTries; tries += 1) {
      const stored = await this.#read(presented, abortSignal)
      const observed = addObservation(stored?.observation ?? null, presented)
      if (observed === null) return { kind: 'Known' }
      if (stored === null && !(await this.#reserveNewHost(presented, now, abortSignal)))
        return { kind: 'LimitReached' }
      if (await this.#put(observed.observation, stored?.revision ?? null, presented, abortSignal))
        return { kind: 'Written', isNew: observed.isNew, change: observed.change }
    }
    return { kind: 'Known' }
  }

  async #read({ endpoint }: NewObservation, abortSignal: AbortSignal): Promise<Item | null> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: observedKey(endpoint), ConsistentRead: true }),
      { abortSignal },
    )
    return Item ? { observation: Observation.strip().parse(Item), revision: Item.revision } : null
  }

  /** @returns false when another process has written since the read */
  async #put(
    observation: Observation,
    revision: number | null,
    { endpoint, certificate, at }: NewObservation,
    abortSignal: AbortSignal,
  ): Promise<boolean> {
    const retentionEnd = expiryAfter(at, retentionSeconds)
    const certificateRetentionEnd = expiryAfter(new Date(certificate.notAfter), unknownHostRetentionSeconds)
    const hasNoConnector = endpoint.kind === 'PartnerServer' && endpoint.connector === null
    return unlessConditionFails(
      this.#documents.send(
        new PutCommand({
          TableName: this.#table,
          Item: {
            ...observedKey(endpoint),
            ...observation,
            revision: (revision ?? 0) + 1,
            expiresAt: hasNoConnector ? Math.min(retentionEnd, certificateRetentionEnd) : retentionEnd,
          },
          ConditionExpression: revision === null ? newItemCondition : unchangedCondition,
          ...(revision !== null && { ExpressionAttributeValues: { ':revision': revision } }),
        }),
        { abortSignal },
      ),
    )
  }

  async #reserveNewHost({ endpoint }: NewObservation, now: Date, abortSignal: AbortSignal): Promise<boolean> {
    const month = now.toISOString().slice(0, 7)
    return unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: newHostCountKey(endpoint.connector?.id ?? null, month),
          UpdateExpression: 'SET expiresAt = :expiresAt ADD places :one',
          ConditionExpression: belowLimitCondition,
          ExpressionAttributeValues: {
            ':one': 1,
            ':maxHosts': maxNewHostsPerMonth,
            ':expiresAt': expiryAfter(now, counterRetentionSeconds),
          },
        }),
        { abortSignal },
      ),
    )
  }
}
