/**
 * Reads from the messages table which recipients there are, for the comparison with the events. The only place here that
 * knows the form of the table's items.
 */
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { hourMs } from '../../shared/contract/durations.ts'
import { maxEventShards, messageHash } from '../../shared/contract/events.ts'
import type { Attempt } from '../../shared/contract/message.ts'
import { byTime } from '../../shared/contract/messages-index.ts'
import { getItems } from '../../shared/dynamodb/get-items.ts'
import { queryItems } from '../../shared/dynamodb/query-items.ts'
import { overlaps, type Shard } from '../../shared/events/event-keys.ts'
import { startOf } from '../../shared/events/hours.ts'
import {
  bucketsOfDay,
  isRecipientKey,
  recipientKey,
  recipientOf,
  ulidTime,
} from '../../shared/messages/message-keys.ts'
import { unpackDetail } from '../../shared/messages/packed-detail.ts'
import type { RecipientDetail, RecipientItem } from '../../shared/messages/recipient-item.ts'

export interface RecipientKey {
  messageId: string
  address: string
}

export interface RecipientStatus {
  state: 'Pending' | 'Deferred' | 'Delivered' | 'Bounced'
  /** Number of the last attempt; 0 before the first. */
  attempts: number
  /** Number of the last attempt that failed and whose outcome was decided. */
  failedAttempts: number
  /** Time of the last change, ms since the epoch. */
  changedAt: number
}

const rowsPerQuery = 1000

export class RecipientKeys {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string

  constructor(documents: DynamoDBDocumentClient, table: string) {
    this.#documents = documents
    this.#table = table
  }

  /** Yields the recipients of a shard's messages that were received in an hour. Canaries are not among them. */
  async *receivedIn(hour: string, shard: Shard): AsyncGenerator<RecipientKey> {
    const start = startOf(hour)
    const buckets = bucketsOfDay(hour.slice(0, 10))
    for (const [number, bucket] of buckets.entries()) {
      if (!overlaps({ shard: number, shards: maxEventShards }, shard)) continue
      const rows = queryItems<{ pk: string; sk: string }>(this.#documents, {
        TableName: this.#table,
        IndexName: byTime,
        KeyConditionExpression: '#bucket = :bucket AND #order BETWEEN :low AND :high',
        ExpressionAttributeNames: { '#bucket': 'bucket', '#order': 'order' },
        // An order is longer than a time, so none equals the time at the end of the hour.
        ExpressionAttributeValues: {
          ':bucket': bucket,
          ':low': ulidTime(start),
          ':high': ulidTime(start + hourMs),
        },
        Limit: rowsPerQuery,
      })
      for await (const { pk, sk } of rows)
        if (isRecipientKey(sk) && messageHash(pk) % shard.shards === shard.shard)
          yield { messageId: pk, address: recipientOf({ sk }) }
    }
  }

  /** @returns the status of each recipient; null if its item was deleted */
  async status(recipients: readonly RecipientKey[]): Promise<(RecipientStatus | null)[]> {
    const keys = recipients.map(({ messageId, address }) => recipientKey(messageId, address))
    const found = await getItems<RecipientItem>(this.#documents, this.#table, keys, { ConsistentRead: true })
    const items = new Map(found.map((item) => [`${item.pk} ${item.sk}`, item]))
    return recipients.map(({ messageId, address }) => {
      const { pk, sk } = recipientKey(messageId, address)
      const item = items.get(`${pk} ${sk}`)
      return item === undefined ? null : statusOf(item)
    })
  }
}

/** A state that an attempt gave the item is as old as the end of the attempt, another as its last verdict. */
export function statusOf({
  state = 'Pending',
  claimed = 0,
  attempts = 0,
  detail,
  result,
}: RecipientItem): RecipientStatus {
  const verdict = detail && (unpackDetail(detail) as Pick<RecipientDetail, 'verdict'>).verdict
  const attempt = result && (unpackDetail(result) as Pick<Attempt, 'at' | 'durationMs'>)
  return {
    state,
    attempts: claimed,
    failedAttempts: state === 'Delivered' ? claimed - 1 : attempts,
    changedAt: Math.max(
      verdict === undefined ? 0 : Date.parse(verdict.at),
      attempt === undefined ? 0 : Date.parse(attempt.at) + attempt.durationMs,
    ),
  }
}
