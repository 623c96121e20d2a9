/**
 * Limits notices of unknown certificates. The attack: a new certificate with each message, until administrators ignore
 * notices. The defence: notices of ten certificates per day for each connector, and of ten more in each group of
 * certificates that an attacker cannot create. So a renewal is not hidden among certificates that an attacker can
 * create. A certificate causes at most one notice per day for each effect on mail.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { CertificateNotice } from '../contract/jobs.ts'
import { limitGroupOf } from '../contract/notice-groups.ts'
import { dailyNoticeLimitKey } from './message-keys.ts'

const maxCertificatesPerDay = 10

const isFirst = 'attribute_not_exists(certificates)'
const isIncluded = 'contains(certificates, :fingerprint)'
const isBelowLimit = 'size(certificates) < :limit'

export class DailyNoticeLimit {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * Whether a notice of this certificate may be published. Once allowed, a certificate stays allowed for the day.
   * @param day `YYYY-MM-DD`
   * @param expiresAt seconds since the epoch
   */
  async allows(notice: CertificateNotice, day: string, expiresAt: number): Promise<boolean> {
    const { connector, presented } = notice
    const { fingerprint256 } = presented
    try {
      await this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: dailyNoticeLimitKey(connector.id, day, limitGroupOf(notice)),
          UpdateExpression: 'ADD certificates :set SET expiresAt = :expiresAt',
          ConditionExpression: `${isFirst} OR ${isIncluded} OR ${isBelowLimit}`,
          ExpressionAttributeValues: {
            ':set': new Set([fingerprint256]),
            ':fingerprint': fingerprint256,
            ':limit': maxCertificatesPerDay,
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
