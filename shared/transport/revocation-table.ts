/**
 * Caches CRL and OCSP results for all workers. Readers compare the times: DynamoDB deletes expired items late. A lost
 * item is fetched again.
 */
import { createHash } from 'node:crypto'
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { KeptSource, type RevocationStore, type SourceKey } from '../net/revocation/revocation-store.ts'
import { revocationKey } from './keys.ts'

export class RevocationTable implements RevocationStore {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #asker: 'ingress' | 'delivery'

  /**
   * @param asker namespace: results that the ingress caches at a client's request must not influence deliveries
   */
  constructor(documents: DynamoDBDocumentClient, table: string, asker: 'ingress' | 'delivery') {
    this.#documents = documents
    this.#table = table
    this.#asker = asker
  }

  async read(key: SourceKey): Promise<KeptSource | null> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: this.#keyOf(key) }),
      inTime(),
    )
    return Item ? KeptSource.parse(Item.kept) : null
  }

  async keep(key: SourceKey, kept: KeptSource): Promise<void> {
    const Item = { ...this.#keyOf(key), kept, expiresAt: Math.ceil(kept.validUntil / 1000) }
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item }), inTime())
  }

  #keyOf({ fingerprint, kind, url }: SourceKey) {
    return revocationKey(this.#asker, fingerprint, kind, createHash('sha256').update(url).digest('hex'))
  }
}

/** Milliseconds before a request to the table times out. */
const patience = 1_000

const inTime = () => ({ abortSignal: AbortSignal.timeout(patience) })
