/**
 * Caches CRL and OCSP results for all workers. Readers compare the times: DynamoDB deletes expired items late. A lost
 * item is fetched again.
 */
import { createHash } from 'node:crypto'
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { CachedSource, type RevocationStore, type SourceKey } from '../net/revocation/revocation-store.ts'
import { revocationKey } from './keys.ts'

export class RevocationTable implements RevocationStore {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #owner: 'ingress' | 'delivery'

  /**
   * @param owner namespace: results that the ingress caches at a client's request must not influence deliveries
   */
  constructor(documents: DynamoDBDocumentClient, table: string, owner: 'ingress' | 'delivery') {
    this.#documents = documents
    this.#table = table
    this.#owner = owner
  }

  async read(key: SourceKey): Promise<CachedSource | null> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: this.#keyOf(key) }),
      requestOptions(),
    )
    return Item ? CachedSource.parse(Item.kept) : null
  }

  async save(key: SourceKey, kept: CachedSource): Promise<void> {
    const Item = { ...this.#keyOf(key), kept, expiresAt: Math.ceil(kept.validUntil / 1000) }
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item }), requestOptions())
  }

  #keyOf({ fingerprint, kind, url }: SourceKey) {
    return revocationKey(this.#owner, fingerprint, kind, createHash('sha256').update(url).digest('hex'))
  }
}

/** Milliseconds before a request to the table times out. */
const timeoutMs = 1_000

const requestOptions = () => ({ abortSignal: AbortSignal.timeout(timeoutMs) })
