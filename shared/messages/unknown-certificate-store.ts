/**
 * Stores unknown certificates for administrators. The attack: new certificates without end fill the table. The defence:
 * only certificates within the daily limit of notices are stored, and each is one item of limited size, which expires 30
 * days after the last presentation. Writes of a certificate go to the partition of its connector, which is not more than
 * its notices cause.
 */
import {
  type DynamoDBDocumentClient,
  GetCommand,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb'
import type { AcceptedCertificate } from '../contract/certificate.ts'
import { daySeconds } from '../contract/durations.ts'
import type { CertificateNotice } from '../contract/jobs.ts'
import { expiryAfter } from '../dynamodb/expiry-after.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import { unknownCertificateIndexKeys, unknownCertificateKey } from './message-keys.ts'
import { attributesOf, type Dismissal, kindOf, type StoredNotice } from './unknown-certificate-item.ts'

const ttlSeconds = 30 * daySeconds

export class UnknownCertificateStore {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /**
   * Records a presentation of a certificate that an administrator dismissed. A repeated job is recorded once.
   * @returns whether the certificate is dismissed; otherwise nothing is changed
   * @throws when the table fails
   */
  async recordDismissed(notice: CertificateNotice, now: Date): Promise<boolean> {
    const { set, names, values } = presentation(notice)
    const isRecorded = await this.#update(notice, {
      UpdateExpression: `SET ${set.join(', ')} ADD seenCount :one`,
      ConditionExpression: 'dismissal.#until > :now AND lastSeen < :at',
      ExpressionAttributeNames: { ...names, '#until': 'until' },
      ExpressionAttributeValues: { ...values, ':now': now.toISOString() },
    })
    return isRecorded || this.#isDismissed(notice, now)
  }

  async #isDismissed({ connector, presented }: CertificateNotice, now: Date): Promise<boolean> {
    const Key = unknownCertificateKey(connector.id, presented.fingerprint256)
    const { Item } = await this.#documents.send(
      new GetCommand({
        TableName: this.#table,
        Key,
        ConsistentRead: true,
        ProjectionExpression: 'dismissal',
      }),
    )
    const { until = '' }: Partial<Dismissal> = Item?.dismissal ?? {}
    return until > now.toISOString()
  }

  /**
   * Records a presentation. A repeated job is recorded once. If an administrator dismisses the certificate at the same
   * time, nothing is changed: otherwise the item, and the dismissal with it, would expire early.
   * @param accepted the last certificate that the connector accepted
   * @throws when the table fails
   */
  async record(notice: CertificateNotice, accepted: AcceptedCertificate | null, now: Date): Promise<void> {
    const { set, names, values } = presentation(notice)
    await this.#update(notice, {
      UpdateExpression: `SET ${[
        ...set,
        'notice = :notice',
        'accepted = :accepted',
        'firstSeen = if_not_exists(firstSeen, :at)',
        'expiresAt = :expiresAt',
      ].join(', ')} ADD seenCount :one`,
      ConditionExpression:
        'attribute_not_exists(lastSeen) OR (lastSeen < :at AND NOT dismissal.#until > :now)',
      ExpressionAttributeNames: { ...names, '#until': 'until' },
      ExpressionAttributeValues: {
        ...values,
        ':now': now.toISOString(),
        ':notice': storedNotice(notice),
        ':accepted': accepted,
        ':expiresAt': expiryAfter(new Date(notice.at), ttlSeconds),
      },
    })
  }

  /** Records that a notice was published. @throws when the table fails */
  async recordNotice(notice: CertificateNotice, now: Date): Promise<void> {
    const attributes = attributesOf(notice)
    await this.#update(notice, {
      UpdateExpression: 'SET #first = if_not_exists(#first, :now), #last = :now ADD #count :one',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeNames: {
        '#first': attributes.firstNotice,
        '#last': attributes.lastNotice,
        '#count': attributes.noticeCount,
      },
      ExpressionAttributeValues: { ':now': now.toISOString(), ':one': 1 },
    })
  }

  /**
   * Dismisses a certificate. Its item stays until the dismissal ends.
   * @returns false if there is no such item
   * @throws when the table fails
   */
  async dismiss(connector: string, fingerprint256: string, dismissal: Dismissal): Promise<boolean> {
    return unlessConditionFails(
      this.#documents.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: unknownCertificateKey(connector, fingerprint256),
          UpdateExpression: 'SET dismissal = :dismissal, expiresAt = :expiresAt',
          ConditionExpression: 'attribute_exists(pk)',
          ExpressionAttributeValues: {
            ':dismissal': dismissal,
            ':expiresAt': expiryAfter(new Date(dismissal.until), 0),
          },
        }),
      ),
    )
  }

  #update(
    { connector, presented }: CertificateNotice,
    update: Omit<UpdateCommandInput, 'TableName' | 'Key'>,
  ): Promise<boolean> {
    const Key = unknownCertificateKey(connector.id, presented.fingerprint256)
    return unlessConditionFails(
      this.#documents.send(new UpdateCommand({ TableName: this.#table, Key, ...update })),
    )
  }
}

/** What each presentation sets. */
function presentation(notice: CertificateNotice) {
  const { at, connector, presented, heldUntil } = notice
  const attributes = attributesOf(notice)
  const index = unknownCertificateIndexKeys(
    connector.id,
    presented.fingerprint256,
    kindOf(notice),
    new Date(at),
  )
  return {
    set: [
      'lastSeen = :at',
      '#bucket = :bucket',
      '#order = :order',
      '#firstSeen = if_not_exists(#firstSeen, :at)',
      '#lastSeen = :at',
      ...(heldUntil === null ? [] : ['#heldUntil = :heldUntil']),
    ],
    names: {
      '#bucket': 'bucket',
      '#order': 'order',
      '#firstSeen': attributes.firstSeen,
      '#lastSeen': attributes.lastSeen,
      ...(heldUntil !== null && { '#heldUntil': attributes.heldUntil }),
    },
    values: {
      ':at': at,
      ':bucket': index.bucket,
      ':order': index.order,
      ':one': 1,
      ...(heldUntil !== null && { ':heldUntil': heldUntil }),
    },
  }
}

function storedNotice(notice: CertificateNotice): StoredNotice {
  const { at, connector, presented, why, facts, tenant, vouchedFor, remedies, trustDigest } = notice
  const { senderDomain, ip } = notice
  return {
    ...{ at, connector, presented, why, facts, vouchedFor, remedies, senderDomain, ip },
    ...(tenant !== undefined && { tenant }),
    ...(trustDigest !== undefined && { trustDigest }),
  }
}
