/**
 * Spaces recipients so that all workers together stay below the quota of Amazon SES. One item holds the time from which
 * the next recipient may be sent. A reservation moves that time forward, by one write for any number of recipients. The
 * item also holds the quota, which one worker reads each minute, because SES permits one `GetSendQuota` per second
 * (docs.aws.amazon.com/ses/latest/APIReference/API_GetSendQuota.html). Limit: DynamoDB permits about 1,000 writes per
 * second to one item. Not covered: other senders of the account, and requests that SES receives later than reserved.
 * Then SES throttles requests, and their messages return to the queue.
 */
import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { daySeconds, minuteMs } from '../contract/durations.ts'
import { unlessConditionFails } from '../dynamodb/unless-condition-fails.ts'
import type { SesQuota } from '../net/ses-api.ts'
import { sesQuotaKey } from './keys.ts'

export type SesReservation =
  /** The first recipient may be sent at `startMs`, each further one `intervalMs` later. */
  | { kind: 'Reserved'; startMs: number; intervalMs: number }
  /** Reservations reach too far into the future. */
  | { kind: 'RateUsedUp'; maxSendRate: number }
  /** Fewer recipients are left in the quota of 24 hours. */
  | { kind: 'DailyQuotaUsedUp'; left: number; max24HourSend: number }
  /** Another worker is reading the quota for the first time. */
  | { kind: 'QuotaUnknown' }

/** Part of the rate that reservations use. The rest is for validations' test messages and for late requests. */
const usedPart = 0.95
/** Time from a reservation to its start, at most; the maximum delay of SQS. */
export const maxReservationDelayMs = 15 * minuteMs
const quotaMaxAgeMs = minuteMs
/** A worker that claimed the first reading of the quota and wrote none by then has crashed. */
const firstReadingMs = 5_000
const maxTries = 3

/** Stored when the quota cannot be read: mail goes out without a limit, and SES throttles it. */
const unknownQuota: SesQuota = { maxSendRate: 1_000_000, max24HourSend: -1, sentLast24Hours: 0 }
const noDailyLimit = 1e15

export interface SesRateLimiterOptions {
  readQuota(): Promise<SesQuota>
  /** Called when the quota cannot be read. The previous quota continues to apply. */
  onError(error: Error): void
  timeoutMs: number
}

interface Quota extends Pick<SesQuota, 'maxSendRate' | 'max24HourSend'> {
  readAtMs: number
}

interface QuotaItem extends Partial<Quota> {
  nextAtMs?: number
  /** Recipients left in the quota of 24 hours. */
  dailyLeft?: number
}

export class SesRateLimiter {
  readonly #documents: DynamoDBDocumentClient
  readonly #table: string
  readonly #options: SesRateLimiterOptions
  #quota: Quota | null = null
  /** The last known start of the next reservation. Only later reservations change it, and they increase it. */
  #nextAtMs = 0

  constructor(documents: DynamoDBDocumentClient, table: string, options: SesRateLimiterOptions) {
    this.#documents = documents
    this.#table = table
    this.#options = options
  }

  /** @throws when the table fails or times out */
  async reserve(recipientCount: number, now: Date): Promise<SesReservation> {
    const quota = await this.#currentQuota(now)
    if (quota === null) return { kind: 'QuotaUnknown' }
    const nowMs = now.getTime()
    const intervalMs = 1000 / (quota.maxSendRate * usedPart)
    for (let tries = 0; tries < maxTries && this.#nextAtMs <= nowMs + maxReservationDelayMs; tries += 1) {
      const startMs = await this.#advance(recipientCount, intervalMs, nowMs)
      if (startMs !== null) return { kind: 'Reserved', startMs, intervalMs }
      const { nextAtMs = 0, dailyLeft = 0 } = await this.#read()
      this.#nextAtMs = nextAtMs
      if (dailyLeft < recipientCount)
        return { kind: 'DailyQuotaUsedUp', left: dailyLeft, max24HourSend: quota.max24HourSend }
    }
    return { kind: 'RateUsedUp', maxSendRate: quota.maxSendRate }
  }

  /** SES refused a message because the quota of 24 hours is used up: no worker tries until the next reading. */
  async recordDailyQuotaUsedUp(): Promise<void> {
    await this.#update({
      UpdateExpression: 'SET dailyLeft = :none',
      ExpressionAttributeValues: { ':none': 0 },
    })
  }

  /** Reserves at the end of earlier reservations, or now when they have ended. @returns null when neither is possible */
  async #advance(recipientCount: number, intervalMs: number, nowMs: number): Promise<number | null> {
    const costMs = recipientCount * intervalMs
    const append = () =>
      this.#tryUpdate({
        UpdateExpression: 'SET nextAtMs = nextAtMs + :cost, dailyLeft = dailyLeft - :count',
        ConditionExpression: 'nextAtMs BETWEEN :now AND :latest AND dailyLeft >= :count',
        ExpressionAttributeValues: {
          ':cost': costMs,
          ':count': recipientCount,
          ':now': nowMs,
          ':latest': nowMs + maxReservationDelayMs,
        },
      })
    const startNow = () =>
      this.#tryUpdate({
        UpdateExpression: 'SET nextAtMs = :next, dailyLeft = dailyLeft - :count',
        ConditionExpression: '(attribute_not_exists(nextAtMs) OR nextAtMs < :now) AND dailyLeft >= :count',
        ExpressionAttributeValues: { ':next': nowMs + costMs, ':count': recipientCount, ':now': nowMs },
      })
    const nextAtMs =
      this.#nextAtMs < nowMs
        ? ((await startNow()) ?? (await append()))
        : ((await append()) ?? (await startNow()))
    if (nextAtMs === null) return null
    this.#nextAtMs = nextAtMs
    return nextAtMs - costMs
  }

  /** @returns null while another worker is reading the quota for the first time */
  async #currentQuota(now: Date): Promise<Quota | null> {
    const nowMs = now.getTime()
    if (this.#quota !== null && nowMs - this.#quota.readAtMs < quotaMaxAgeMs) return this.#quota
    if (await this.#claimReading(nowMs)) await this.#renewQuota(nowMs)
    const { maxSendRate, max24HourSend, readAtMs } = await this.#read()
    if (maxSendRate === undefined || max24HourSend === undefined || readAtMs === undefined) return null
    this.#quota = { maxSendRate, max24HourSend, readAtMs }
    return this.#quota
  }

  #claimReading(nowMs: number): Promise<boolean> {
    return unlessConditionFails(
      this.#update({
        UpdateExpression: 'SET readAtMs = :now, expiresAt = :expiresAt',
        ConditionExpression:
          'attribute_not_exists(readAtMs) OR readAtMs <= :old OR (attribute_not_exists(maxSendRate) AND readAtMs <= :crashed)',
        ExpressionAttributeValues: {
          ':now': nowMs,
          ':old': nowMs - quotaMaxAgeMs,
          ':crashed': nowMs - firstReadingMs,
          ':expiresAt': Math.ceil(nowMs / 1000) + daySeconds,
        },
      }),
    )
  }

  async #renewQuota(nowMs: number): Promise<void> {
    const previous = await this.#read()
    const quota = await this.#options.readQuota().catch((error: Error) => {
      this.#options.onError(error)
      return previous.maxSendRate === undefined ? unknownQuota : null
    })
    if (quota === null) return
    const { maxSendRate, max24HourSend, sentLast24Hours } = quota
    // SES has not counted the recipients whose reservations lie in the future.
    const reservedMs = Math.max(0, (previous.nextAtMs ?? 0) - nowMs)
    const reserved = Math.ceil((reservedMs / 1000) * (previous.maxSendRate ?? 0) * usedPart)
    const dailyLeft =
      max24HourSend === -1 ? noDailyLimit : Math.max(0, max24HourSend - sentLast24Hours - reserved)
    await this.#update({
      UpdateExpression: 'SET maxSendRate = :rate, max24HourSend = :max, dailyLeft = :left',
      ExpressionAttributeValues: { ':rate': maxSendRate, ':max': max24HourSend, ':left': dailyLeft },
    })
  }

  async #read(): Promise<QuotaItem> {
    const { Item = {} } = await this.#documents.send(
      new GetCommand({ TableName: this.#table, Key: sesQuotaKey, ConsistentRead: true }),
      this.#requestOptions(),
    )
    return Item as QuotaItem
  }

  /** @returns the new `nextAtMs`; null when the condition is not met */
  async #tryUpdate(change: Change): Promise<number | null> {
    let nextAtMs: number | null = null
    await unlessConditionFails(
      this.#update(change).then((attributes) => {
        nextAtMs = attributes.nextAtMs ?? null
      }),
    )
    return nextAtMs
  }

  async #update(change: Change): Promise<QuotaItem> {
    const command = new UpdateCommand({
      TableName: this.#table,
      Key: sesQuotaKey,
      ...change,
      ReturnValues: 'UPDATED_NEW',
    })
    const { Attributes = {} } = await this.#documents.send(command, this.#requestOptions())
    return Attributes as QuotaItem
  }

  #requestOptions(): { abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(this.#options.timeoutMs) }
  }
}

type Change = Pick<
  ConstructorParameters<typeof UpdateCommand>[0],
  'UpdateExpression' | 'ConditionExpression' | 'ExpressionAttributeValues'
>
