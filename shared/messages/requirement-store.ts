/**
 * Stores kept requirements, addressed by their content. All recipients under the same requirement share one item, and
 * their items hold only its digest. An instance writes each requirement once a day, so an item outlives the trace of
 * every message that refers to it.
 */
import { createHash } from 'node:crypto'
import { BatchGetCommand, type DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
import { daySeconds } from '../contract/durations.ts'
import { expiryAfter } from '../dynamodb/expiry-after.ts'
import { KeptRequirement } from '../policy/kept-requirement.ts'
import { requirementKey } from './message-keys.ts'

/** The two days cover the day between writes, and the day that a message waits at most. */
const marginSeconds = 2 * daySeconds
/** An item has up to 33 KB, because of its certificates. */
const maxCachedItems = 1000
/** Limit of BatchGetItem. */
const maxBatchGetKeys = 100

export class RequirementStore {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #requirements = new Map<string, KeptRequirement>()
  /** The day of the last write, `YYYY-MM-DD`, by digest. */
  readonly #daysWritten = new Map<string, string>()

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * Writes the requirement, unless this instance did so today.
   * @returns its digest
   * @throws when the table fails
   */
  async store(requirement: KeptRequirement, now: Date, retentionDays: number): Promise<string> {
    const digest = digestOf(requirement)
    const day = now.toISOString().slice(0, 10)
    if (this.#daysWritten.get(digest) === day) return digest
    const expiresAt = expiryAfter(now, retentionDays * daySeconds + marginSeconds)
    const item = { ...requirementKey(digest), requirement, expiresAt }
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item: item }))
    cache(this.#daysWritten, digest, day)
    return digest
  }

  /** @returns the requirements by digest; those that do not exist are missing */
  async read(digests: Iterable<string>): Promise<ReadonlyMap<string, KeptRequirement>> {
    const wanted = new Set(digests)
    const found = new Map<string, KeptRequirement>()
    let keys: Record<string, unknown>[] = []
    for (const digest of wanted) {
      const known = this.#requirements.get(digest)
      if (known === undefined) keys.push(requirementKey(digest))
      else found.set(digest, known)
    }
    while (keys.length > 0) {
      const Keys = keys.splice(0, maxBatchGetKeys)
      const { Responses, UnprocessedKeys } = await this.#documents.send(
        new BatchGetCommand({ RequestItems: { [this.#table]: { Keys, ConsistentRead: true } } }),
      )
      for (const { requirement } of Responses?.[this.#table] ?? []) {
        const parsed = KeptRequirement.parse(requirement)
        found.set(digestOf(parsed), parsed)
        cache(this.#requirements, digestOf(parsed), parsed)
      }
      keys = keys.concat(UnprocessedKeys?.[this.#table]?.Keys ?? [])
    }
    return found
  }
}

function cache<Value>(map: Map<string, Value>, digest: string, value: Value): void {
  if (map.size >= maxCachedItems) map.clear()
  map.set(digest, value)
}

const digests = new WeakMap<KeptRequirement, string>()

/** SHA-256 of the JSON with the fields in the order of the schema, base64url. */
function digestOf(requirement: KeptRequirement): string {
  const known = digests.get(requirement)
  if (known !== undefined) return known
  const canonical = JSON.stringify(KeptRequirement.parse(requirement))
  const digest = createHash('sha256').update(canonical).digest('base64url')
  digests.set(requirement, digest)
  return digest
}
