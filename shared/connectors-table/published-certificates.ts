/** What partners are told of our certificates, as an item of the connectors table. */
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { PublishedCertificates } from '../contract/certificates.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'

const key = { pk: 'certificates', sk: 'published' }

export interface PublishedRevision {
  published: PublishedCertificates | null
  /** Grows by one with each writing. */
  revision: number
}

export class PublishedCertificatesItem {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * Strongly consistent. As it was written: `publishedAt` (shared/tls/published.ts) says what it comes to by now.
   * @returns null before anything was published
   * @throws when it cannot be read, or is not what the contract says
   */
  async read(): Promise<PublishedCertificates | null> {
    const item = await this.#item()
    return item ? PublishedCertificates.parse(item.published) : null
  }

  /** For who writes it anew. What an older release wrote, and this one does not understand, counts as nothing. */
  async readRevision(): Promise<PublishedRevision> {
    const item = await this.#item()
    const published = PublishedCertificates.safeParse(item?.published).data ?? null
    return { published, revision: Number(item?.revision ?? 0) }
  }

  /** @returns false when it is not of the revision any more that it was made from */
  write(published: PublishedCertificates, { revision }: { revision: number }): Promise<boolean> {
    return unlessConditionFails(
      this.#documents.send(
        new PutCommand({
          TableName: this.#table,
          Item: { ...key, published, revision: revision + 1 },
          ConditionExpression: 'attribute_not_exists(revision) OR revision = :revision',
          ExpressionAttributeValues: { ':revision': revision },
        }),
      ),
    )
  }

  async #item(): Promise<Record<string, unknown> | undefined> {
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    return Item
  }
}
