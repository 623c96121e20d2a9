/** The certificates published to partners, as an item of the connectors table. */
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { PublishedCertificates } from '../contract/certificates.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'

const key = { pk: 'certificates', sk: 'published' }

export interface PublishedRevision {
  published: PublishedCertificates | null
  /** Increases by one with each write. */
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
   * Reads the item consistently, as it was written. `descriptionAt` (shared/tls/description-at.ts) adapts the
   * result to the present time.
   * @returns null before anything was published
   * @throws when the table fails or the item does not match the schema
   */
  async read(): Promise<PublishedCertificates | null> {
    const item = await this.#item()
    return item ? PublishedCertificates.parse(item.published) : null
  }

  /** Reads the item for an update. An item of an earlier release that this release cannot parse is treated as null. */
  async readRevision(): Promise<PublishedRevision> {
    const item = await this.#item()
    const published = PublishedCertificates.safeParse(item?.published).data ?? null
    return { published, revision: Number(item?.revision ?? 0) }
  }

  /** @returns false when another writer has changed the item in the meantime */
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
