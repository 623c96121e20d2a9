/**
 * Stores which domains have proved that their servers accept mail. A domain proves itself when it accepts a message in
 * less than `slowAttemptMs`. A DSN proves nothing, because any client can cause one. A slow failure afterwards makes the
 * domain slow, until it accepts a message again. A lost item costs the domain its place among the proven ones until it
 * accepts the next message.
 */
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { dayMs, daySeconds } from '../contract/durations.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { standingKey } from './keys.ts'

/** `Slow`: the domain proved itself, and has failed slowly since. */
export type DestinationStanding = 'Proven' | 'Slow' | 'Unproven'

/** Days after the last proof until it is forgotten. */
const retentionDays = 30

/** A proof is written again after this time, to keep it from expiring. */
const proofIntervalMs = dayMs

const timeoutMs = 2_000

/** Times in milliseconds since 1970. */
interface StandingItem {
  provenAt: number
  slowAt?: number
  /** In seconds. */
  expiresAt: number
}

export class DestinationStandings {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** @throws when the table fails or times out */
  async read(domain: string, now: Date): Promise<DestinationStanding> {
    const Item = await this.#get(domain)
    if (Item === undefined || Item.expiresAt * 1000 <= now.getTime()) return 'Unproven'
    return Item.slowAt === undefined ? 'Proven' : 'Slow'
  }

  /**
   * Records that the domain accepted a message. Reads first, because a failed condition costs as much as a write, and
   * each new process asks for each domain.
   * @throws when the table fails or times out
   */
  async recordProof(domain: string, now: Date): Promise<void> {
    const provenAt = now.getTime()
    const stored = await this.#get(domain)
    if (stored && stored.slowAt === undefined && stored.provenAt >= provenAt - proofIntervalMs) return
    await unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: standingKey(domain),
          UpdateExpression: 'SET provenAt = :provenAt, expiresAt = :expiresAt REMOVE slowAt',
          ConditionExpression:
            'attribute_not_exists(provenAt) OR attribute_exists(slowAt) OR provenAt < :before',
          ExpressionAttributeValues: {
            ':provenAt': provenAt,
            ':before': provenAt - proofIntervalMs,
            ':expiresAt': Math.ceil(provenAt / 1000) + retentionDays * daySeconds,
          },
        }),
        requestOptions(),
      ),
    )
  }

  async #get(domain: string): Promise<StandingItem | undefined> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: standingKey(domain) }),
      requestOptions(),
    )
    return Item as StandingItem | undefined
  }

  /** Records that an attempt failed slowly, for a domain that has proved itself. @throws as `recordProof` */
  async recordSlowFailure(domain: string, now: Date): Promise<void> {
    await unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: standingKey(domain),
          UpdateExpression: 'SET slowAt = :slowAt',
          ConditionExpression: 'attribute_exists(provenAt)',
          ExpressionAttributeValues: { ':slowAt': now.getTime() },
        }),
        requestOptions(),
      ),
    )
  }
}

const requestOptions = () => ({ abortSignal: AbortSignal.timeout(timeoutMs) })
