/**
 * What CRLs and OCSP responders said of the certificates of others, so that not every worker asks them again. Items
 * outlive what they say until DynamoDB gets to them: whoever reads compares the times. It may be lost: then it is asked
 * again.
 */
import { createHash } from 'node:crypto'
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { z } from 'zod'
import { RevocationSource } from '../tls/revocation/status.ts'
import { revocationKey } from './keys.ts'

/** Milliseconds since the epoch. */
const instant = z.int().nonnegative()

export const KeptSource = z.strictObject({
  source: RevocationSource,
  /** From then on it is asked again. */
  renewAt: instant,
  /** Until then it counts where nothing newer is to be had. */
  validUntil: instant,
})
export type KeptSource = z.infer<typeof KeptSource>

export interface SourceKey extends Pick<RevocationSource, 'kind' | 'url'> {
  /** SHA-256 of the certificate it is about. */
  fingerprint: string
}

export interface RevocationStore {
  /** @throws when it fails */
  read(key: SourceKey): Promise<KeptSource | null>
  /** @throws when it fails */
  keep(key: SourceKey, kept: KeptSource): Promise<void>
}

/** Keeps nothing: who asks remembers what he heard. */
export const noStore: RevocationStore = { read: async () => null, keep: async () => {} }

export class RevocationTable implements RevocationStore {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #asker: 'ingress' | 'delivery'

  /** @param asker what it heard is its own: who takes mail from strangers has no say in whom mail is handed to */
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

/** Milliseconds. */
const patience = 1_000

const inTime = () => ({ abortSignal: AbortSignal.timeout(patience) })
