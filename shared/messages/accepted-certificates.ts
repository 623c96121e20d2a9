/**
 * The certificate that each connector accepted last: what a partner that now comes with another one had until
 * then. Kept for longer than a year, so that a partner that writes once a year is remembered, too.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { z } from 'zod'
import { CertificateSummary } from '../contract/certificate.ts'
import { Allowance } from '../middleware/allowance.ts'
import { acceptedCertificateKey } from './keys.ts'

export const AcceptedCertificate = CertificateSummary.extend({
  /** To within an hour. */
  lastSeen: z.iso.datetime(),
})
export type AcceptedCertificate = z.infer<typeof AcceptedCertificate>

const keptSeconds = 400 * 86_400

const isNewer = 'attribute_not_exists(pk) OR lastSeen < :lastSeen'

export class AcceptedCertificates {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  /** Not a write a message, but one an hour for each certificate in use. */
  readonly #written = new Allowance(1, 3_600_000)

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * @param seen when it was presented; what was seen later stays
   * @returns whether it was written
   */
  async remember(
    connector: string,
    certificate: CertificateSummary,
    seen: Date,
    now: Date,
  ): Promise<boolean> {
    const key = `${connector}#${certificate.fingerprint256}`
    if (!this.#written.isLeft(key, now)) return false
    this.#written.take(key, now)
    const accepted: AcceptedCertificate = { ...certificate, lastSeen: seen.toISOString() }
    try {
      await this.#documents.send(
        new PutCommand({
          TableName: this.#table,
          Item: {
            ...acceptedCertificateKey(connector),
            certificate: accepted,
            lastSeen: accepted.lastSeen,
            expiresAt: Math.floor(seen.getTime() / 1000) + keptSeconds,
          },
          ConditionExpression: isNewer,
          ExpressionAttributeValues: { ':lastSeen': accepted.lastSeen },
        }),
      )
      return true
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false
      this.#written.giveBack(key)
      throw error
    }
  }

  /** @returns null when none was accepted for as long as is remembered */
  async last(connector: string): Promise<AcceptedCertificate | null> {
    const { Item } = await this.#documents.send(
      new GetCommand({
        TableName: this.#table,
        Key: acceptedCertificateKey(connector),
        ConsistentRead: true,
      }),
    )
    return Item ? AcceptedCertificate.parse(Item.certificate) : null
  }
}
