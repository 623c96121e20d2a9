/**
 * Stores for a day at which hosts BDAT failed although they announce CHUNKING (RFC 3030). Mail for them is sent by DATA.
 * A lost item costs one more attempt by BDAT.
 */
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { daySeconds, minuteMs } from '../contract/durations.ts'
import { RecentMap } from '../limits/recent-map.ts'
import { chunkingFaultKey } from './keys.ts'

const timeoutMs = 2_000
/** Time for which this instance uses an answer of the table. */
const maxAgeMs = 10 * minuteMs
const maxHosts = 10_000

export class ChunkingFaults {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #answers = new RecentMap<string, { hasFault: boolean; atMs: number }>(maxHosts)

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** Whether BDAT failed at the host within the last day. @throws when the table fails or times out */
  async has(host: string, now: Date): Promise<boolean> {
    const atMs = now.getTime()
    const answer = this.#answers.get(host)
    if (answer && atMs - answer.atMs < maxAgeMs) return answer.hasFault
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: chunkingFaultKey(host) }),
      { abortSignal: AbortSignal.timeout(timeoutMs) },
    )
    const hasFault = Item !== undefined && Item.expiresAt * 1000 > atMs
    this.#answers.set(host, { hasFault, atMs })
    return hasFault
  }

  /** Records that BDAT failed at the host. @throws when the table fails or times out */
  async add(host: string, now: Date): Promise<void> {
    const atMs = now.getTime()
    this.#answers.set(host, { hasFault: true, atMs })
    const item = { ...chunkingFaultKey(host), expiresAt: Math.ceil(atMs / 1000) + daySeconds }
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item: item }), {
      abortSignal: AbortSignal.timeout(timeoutMs),
    })
  }
}
