/** What partners are told of our certificates, as an item of the connectors table. */
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { PublishedCertificates } from '../contract/certificates.ts'

const key = { pk: 'certificates', sk: 'published' }

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
    const { Item } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: key, ConsistentRead: true }),
    )
    return Item ? PublishedCertificates.parse(Item.published) : null
  }

  async write(published: PublishedCertificates): Promise<void> {
    await this.#documents.send(new PutCommand({ TableName: this.#table, Item: { ...key, published } }))
  }
}
