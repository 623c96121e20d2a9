/**
 * The certificates that were seen, kept. The attack: a new host or a new certificate with each message, until the table
 * or somebody's bill is full. The defence: a process writes one certificate of a place once an hour; a connector gets so
 * many new places in a month, and all strangers together as many; of a place the last few certificates are kept. The
 * limit: who has a connector's mail led elsewhere can use up its places of a month, and then new ones are not kept.
 */
import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { daySeconds, hourMs } from '../contract/durations.ts'
import { expiryAfter } from '../dynamodb/expiry-after.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { RateLimiter } from '../limits/rate-limiter.ts'
import { Observation, type ObservedChange, type Sighting } from '../tls/observed/observation.ts'
import { observe } from '../tls/observed/observe.ts'
import { observedKey, observedRoomKey } from './keys.ts'

export type Seen =
  /** `change`: another was seen there before. */
  | { kind: 'Written'; change: ObservedChange | null }
  /** It was written within the hour, by this process or another. */
  | { kind: 'Known' }
  | { kind: 'NoRoom' }

/** After it was last seen: who writes once a year is remembered, too. */
const keptSeconds = 400 * daySeconds
/** After its certificate expires, what was seen of a stranger. */
const strangerKeptSeconds = 30 * daySeconds

/** New ones in a month. */
const mostPlaces = 500
/** A counter outlives its month. */
const roomKeptSeconds = 62 * daySeconds

/** Writers that meet at one place; the last of them leaves it to the next hour. */
const mostTries = 3

const isNew = 'attribute_not_exists(pk)'
const isAsRead = 'revision = :revision'
const hasRoom = 'attribute_not_exists(places) OR places < :most'

interface Item {
  observation: Observation
  revision: number
}

export class ObservedTable {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #written = new RateLimiter(1, hourMs)

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** @throws when the table fails or does not answer before the signal; it is written when it is next seen */
  async see(sighting: Sighting, now: Date, signal: AbortSignal): Promise<Seen> {
    const { pk, sk } = observedKey(sighting.place)
    const key = `${pk} ${sk} ${sighting.certificate.fingerprint256}`
    if (!this.#written.isLeft(key, now)) return { kind: 'Known' }
    this.#written.take(key, now)
    try {
      return await this.#write(sighting, now, signal)
    } catch (error) {
      this.#written.giveBack(key)
      throw error
    }
  }

  async #write(sighting: Sighting, now: Date, abortSignal: AbortSignal): Promise<Seen> {
    for (let tries = 0; tries < mostTries; tries += 1) {
      const known = await this.#read(sighting, abortSignal)
      const observed = observe(known?.observation ?? null, sighting)
      if (observed === null) return { kind: 'Known' }
      if (known === null && !(await this.#takeRoom(sighting, now, abortSignal))) return { kind: 'NoRoom' }
      if (await this.#put(observed.observation, known?.revision ?? null, sighting, abortSignal))
        return { kind: 'Written', change: observed.change }
    }
    return { kind: 'Known' }
  }

  async #read({ place }: Sighting, abortSignal: AbortSignal): Promise<Item | null> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: observedKey(place), ConsistentRead: true }),
      { abortSignal },
    )
    return Item ? { observation: Observation.strip().parse(Item), revision: Item.revision } : null
  }

  /** @returns false when somebody else has written meanwhile */
  async #put(
    observation: Observation,
    revision: number | null,
    { place, certificate, at }: Sighting,
    abortSignal: AbortSignal,
  ): Promise<boolean> {
    const kept = expiryAfter(at, keptSeconds)
    const ended = expiryAfter(new Date(certificate.notAfter), strangerKeptSeconds)
    const isStranger = place.kind === 'PartnerServer' && place.connector === null
    return unlessConditionFails(
      this.#documents.send(
        new PutCommand({
          TableName: this.#table,
          Item: {
            ...observedKey(place),
            ...observation,
            revision: (revision ?? 0) + 1,
            expiresAt: isStranger ? Math.min(kept, ended) : kept,
          },
          ConditionExpression: revision === null ? isNew : isAsRead,
          ...(revision !== null && { ExpressionAttributeValues: { ':revision': revision } }),
        }),
        { abortSignal },
      ),
    )
  }

  async #takeRoom({ place }: Sighting, now: Date, abortSignal: AbortSignal): Promise<boolean> {
    const month = now.toISOString().slice(0, 7)
    return unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: observedRoomKey(place.connector?.id ?? null, month),
          UpdateExpression: 'SET expiresAt = :expiresAt ADD places :one',
          ConditionExpression: hasRoom,
          ExpressionAttributeValues: {
            ':one': 1,
            ':most': mostPlaces,
            ':expiresAt': expiryAfter(now, roomKeptSeconds),
          },
        }),
        { abortSignal },
      ),
    )
  }
}
