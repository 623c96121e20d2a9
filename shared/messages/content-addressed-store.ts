/**
 * Stores values that many items share, addressed by their content: kept requirements, client certificates. An item that
 * uses a value holds only its digest. An instance writes each value once a day, so the value outlives the trace of every
 * message that refers to it.
 */
import { createHash } from 'node:crypto'
import { type DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
import type * as z from 'zod'
import { daySeconds } from '../contract/durations.ts'
import { expiryAfter } from '../dynamodb/expiry-after.ts'
import { getItems, type Key } from '../dynamodb/get-items.ts'
import { type SharedKind, sharedKey } from './message-keys.ts'
import { packDetail, unpackDetail } from './packed-detail.ts'

/** The two days cover the day between writes, and the day that a message waits at most. */
const marginSeconds = 2 * daySeconds
/** A value has up to 33 KB, because of its certificates. */
const maxCachedValues = 1000

export class ContentAddressedStore<Value extends object> {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #kind: SharedKind
  readonly #schema: z.ZodType<Value>
  readonly #values = new Map<string, Value>()
  /** The day of the last write, `YYYY-MM-DD`, by digest. */
  readonly #daysWritten = new Map<string, string>()
  readonly #digests = new WeakMap<Value, string>()

  constructor(documents: DynamoDBDocumentClient, table: string, kind: SharedKind, schema: z.ZodType<Value>) {
    this.#documents = documents
    this.#table = table
    this.#kind = kind
    this.#schema = schema
  }

  /**
   * Writes the value, unless this instance did so today.
   * @returns its digest
   * @throws when the table fails
   */
  async store(value: Value, now: Date, retentionDays: number): Promise<string> {
    const digest = this.#digestOf(value)
    const day = now.toISOString().slice(0, 10)
    if (this.#daysWritten.get(digest) === day) return digest
    const expiresAt = expiryAfter(now, retentionDays * daySeconds + marginSeconds)
    const Item = { ...sharedKey(this.#kind, digest), detail: packDetail(value), expiresAt }
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item }))
    cache(this.#daysWritten, digest, day)
    return digest
  }

  /** @returns the values by digest; those that do not exist are missing */
  async read(digests: Iterable<string>): Promise<ReadonlyMap<string, Value>> {
    const found = new Map<string, Value>()
    const keys: Key[] = []
    for (const digest of new Set(digests)) {
      const known = this.#values.get(digest)
      if (known === undefined) keys.push(sharedKey(this.#kind, digest))
      else found.set(digest, known)
    }
    const options = { ConsistentRead: true }
    for (const { pk, detail } of await getItems<{ pk: string; detail: Uint8Array }>(
      this.#documents,
      this.#table,
      keys,
      options,
    )) {
      // A later version of the schema may add fields, so the digest is not computed again.
      const digest = pk.slice(this.#kind.length + 1)
      const value = this.#schema.parse(unpackDetail(detail))
      found.set(digest, value)
      cache(this.#values, digest, value)
    }
    return found
  }

  /** SHA-256 of the JSON with the fields in the order of the schema, base64url. */
  #digestOf(value: Value): string {
    const known = this.#digests.get(value)
    if (known !== undefined) return known
    const canonical = JSON.stringify(this.#schema.parse(value))
    const digest = createHash('sha256').update(canonical).digest('base64url')
    this.#digests.set(value, digest)
    return digest
  }
}

function cache<Value>(map: Map<string, Value>, digest: string, value: Value): void {
  if (map.size >= maxCachedValues) map.clear()
  map.set(digest, value)
}
