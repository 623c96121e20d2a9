/**
 * Limits notices of unknown certificates. The attack: a new certificate with each message, until administrators ignore
 * notices. The defence: ten notices a day for each connector, and ten more for certificates from a CA that the connector
 * trusts. So a renewal is not hidden among certificates that an attacker can make.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { CertificateNotice } from '../contract/jobs.ts'
import { dailyNoticesKey } from './message-keys.ts'

const maxNoticesPerDay = 10

const isFirst = 'attribute_not_exists(certificates)'
const isIncluded = 'contains(certificates, :one)'
const hasRoom = 'size(certificates) < :most'

export class DailyNoticeLimit {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * Whether a notice of this certificate is to be published; repeated calls have the same result.
   * @param day `YYYY-MM-DD`
   * @param expiresAt seconds since the epoch
   */
  async allows(
    { connector, presented: { fingerprint256 }, vouchedFor }: CertificateNotice,
    day: string,
    expiresAt: number,
  ): Promise<boolean> {
    try {
      await this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: dailyNoticesKey(connector.id, day, vouchedFor),
          UpdateExpression: 'ADD certificates :set SET expiresAt = :expiresAt',
          ConditionExpression: `${isFirst} OR ${isIncluded} OR ${hasRoom}`,
          ExpressionAttributeValues: {
            ':set': new Set([fingerprint256]),
            ':one': fingerprint256,
            ':most': maxNoticesPerDay,
            ':expiresAt': expiresAt,
          },
        }),
      )
      return true
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false
      throw error
    }
  }
}
