/**
 * How many certificates of strangers an administrator hears of. The attack: a new certificate with each message,
 * for ever, until nobody reads the notices. The defence: a handful for each connector and day, and a handful of its own
 * for those that an authority vouches for, so that a renewal is not hidden among what anybody can make.
 */
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb'
import { type DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import type { CertificateNotice } from '../contract/jobs.ts'
import { noticesOfDayKey } from './keys.ts'

const mostInDay = 10

const isFirst = 'attribute_not_exists(certificates)'
const isAmongThem = 'contains(certificates, :one)'
const hasRoom = 'size(certificates) < :most'

export class NoticeDays {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * Whether the administrator is to hear of this certificate; asked twice, the answer is the same.
   * @param day `YYYY-MM-DD`
   * @param expiresAt seconds since the epoch
   */
  async admits(
    { connector, presented: { fingerprint256 }, vouchedFor }: CertificateNotice,
    day: string,
    expiresAt: number,
  ): Promise<boolean> {
    try {
      await this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: noticesOfDayKey(connector.id, day, vouchedFor),
          UpdateExpression: 'ADD certificates :set SET expiresAt = :expiresAt',
          ConditionExpression: `${isFirst} OR ${isAmongThem} OR ${hasRoom}`,
          ExpressionAttributeValues: {
            ':set': new Set([fingerprint256]),
            ':one': fingerprint256,
            ':most': mostInDay,
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
