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
   * @param owner namespace of the results: a client must not influence deliveries through results that the ingress
   * caches
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

  async save(key: SourceKey, result: CachedSource): Promise<void> {
    const Item = { ...this.#keyOf(key), kept: result, expiresAt: Math.ceil(result.validUntil / 1000) }
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item }), requestOptions())
  }

  #keyOf({ fingerprint, kind, url }: SourceKey) {
    return revocationKey(this.#owner, fingerprint, kind, createHash('sha256').update(url).digest('hex'))
  }
}

const timeoutMs = 1_000

const requestOptions = () => ({ abortSignal: AbortSignal.timeout(timeoutMs) })
