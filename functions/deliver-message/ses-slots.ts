/**
 * Decides when a message without a destination queue may be sent: a message for Amazon SES, or a TLS report, which is
 * stored.
 *
 * The quota of SES: a message without a reserved time reserves one, together with the other messages of its batch. If
 * that time is near, the worker waits. Otherwise the job returns to its queue with the time, and is sent then, however
 * late it comes back. If no time can be reserved, the job returns without one.
 *
 * Throttling: other senders of the account use the same quota, so SES may throttle requests at their reserved times. A
 * throttled request occupies its worker while it is repeated, and its batch has mail for other next hops. So after a
 * throttled request, the instance returns its messages for SES to the queue for some seconds.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import {
  maxReservationDelayMs,
  type SesRateLimiter,
  type SesReservation,
} from '../../shared/transport/ses-rate-limiter.ts'
import type { QueueEntry } from './batch.ts'
import { type SesWait, waitAfterThrottling } from './return-to-queue.ts'

/**
 * A worker waits so long for a reserved time. A job returns from the queue a second before: SQS delays in whole seconds
 * and may be late, and at a low quota SES throttles a message that comes just before the next one.
 */
const maxWorkerWaitMs = 2_000
const queueLatenessSeconds = 1
/** The maximum of SQS. */
const maxDelaySeconds = 900
/** The delay while another worker reads the quota for the first time. */
const quotaUnknownDelaySeconds = 2
/** Time after a throttled request in which this instance sends no message through SES. */
const throttlePauseMs = 5_000

type SesJob = Pick<DeliveryJob, 'route' | 'recipients' | 'sendAt' | 'waits'>

export interface SesSlotsOptions {
  limiter: Pick<SesRateLimiter, 'reserve'>
  /** Milliseconds since the epoch. */
  now(): number
  /** Returns a number in [0, 1). */
  random(): number
  /** Called when no time can be reserved because of an error. The message is sent without one. */
  onError(error: Error): void
  /** Called for a batch with recipients that the quota of 24 hours does not permit. */
  onDailyQuotaUsedUp(max24HourSend: number): void
  /** @default a timer */
  wait?(milliseconds: number): Promise<unknown>
}

interface Request {
  recipientCount: number
  answer(result: number | SesWait): void
}

/** Shared by all batches of one instance of the function, which handles one batch at a time. */
export class SesSlots {
  readonly #options: SesSlotsOptions
  #requests: Request[] = []
  #pausedUntilMs = 0

  constructor(options: SesSlotsOptions) {
    this.#options = options
  }

  /** Call this method when SES has throttled a message. */
  pause(): void {
    this.#pausedUntilMs = this.#options.now() + throttlePauseMs
  }

  slotFor(job: SesJob): QueueEntry {
    return {
      runWithSlot: async (work) => {
        const wait = job.route.kind === 'Ses' ? await this.#waitForQuota(job) : null
        return wait ?? work()
      },
      reportLoad: () => {},
      leave: () => {},
    }
  }

  /** @returns null when the message may be sent now */
  async #waitForQuota(job: SesJob): Promise<SesWait | null> {
    if (this.#options.now() < this.#pausedUntilMs) return waitAfterThrottling(job, this.#options.random())
    const { recipients, sendAt } = job
    const sendAtMs = sendAt === undefined ? await this.#reserve(recipients.length) : Date.parse(sendAt)
    if (typeof sendAtMs !== 'number') return sendAtMs
    const remainingMs = sendAtMs - this.#options.now()
    if (remainingMs > maxWorkerWaitMs) return waitUntil(sendAtMs, remainingMs)
    if (remainingMs > 0) await (this.#options.wait ?? sleep)(remainingMs)
    return null
  }

  /** Reserves for all messages of the batch that ask in the same turn of the event loop: one write for all. */
  #reserve(recipientCount: number): Promise<number | SesWait> {
    return new Promise((answer) => {
      this.#requests.push({ recipientCount, answer })
      if (this.#requests.length === 1) setImmediate(() => this.#reserveForAll(this.#requests.splice(0)))
    })
  }

  async #reserveForAll(requests: readonly Request[]): Promise<void> {
    const reservation = await this.#tryReserve(requests)
    if (reservation.kind === 'DailyQuotaUsedUp') return this.#reserveWithin(reservation, requests)
    if (reservation.kind !== 'Reserved') {
      for (const { answer } of requests) answer(this.#waitFor(reservation))
      return
    }
    let nextMs = reservation.startMs
    for (const { recipientCount, answer } of requests) {
      answer(nextMs)
      nextMs += recipientCount * reservation.intervalMs
    }
  }

  /** Reserves for the first messages that fit what is left of the quota of 24 hours. */
  async #reserveWithin(
    reservation: Extract<SesReservation, { kind: 'DailyQuotaUsedUp' }>,
    requests: readonly Request[],
  ): Promise<void> {
    let left = reservation.left
    const refused = requests.findIndex(({ recipientCount }) => {
      left -= recipientCount
      return left < 0
    })
    this.#options.onDailyQuotaUsedUp(reservation.max24HourSend)
    for (const { answer } of requests.slice(refused)) answer(this.#waitFor(reservation))
    if (refused > 0) await this.#reserveForAll(requests.slice(0, refused))
  }

  async #tryReserve(requests: readonly Request[]): Promise<SesReservation> {
    const { limiter, now, onError } = this.#options
    const recipientCount = requests.reduce((sum, request) => sum + request.recipientCount, 0)
    try {
      return await limiter.reserve(recipientCount, new Date(now()))
    } catch (error) {
      onError(error as Error)
      return { kind: 'Reserved', startMs: now(), intervalMs: 0 }
    }
  }

  #waitFor(reservation: Exclude<SesReservation, { kind: 'Reserved' }>): SesWait {
    if (reservation.kind === 'QuotaUnknown')
      return {
        reason: 'SesRate',
        sendAt: null,
        delaySeconds: quotaUnknownDelaySeconds,
        text: 'its quota is unknown',
      }
    const delaySeconds = Math.ceil((maxReservationDelayMs / 1000) * (0.5 + this.#options.random() / 2))
    return reservation.kind === 'RateUsedUp'
      ? {
          reason: 'SesRate',
          sendAt: null,
          delaySeconds,
          text: `it takes ${reservation.maxSendRate} recipients per second`,
        }
      : {
          reason: 'SesDailyQuota',
          sendAt: null,
          delaySeconds,
          text: `it takes ${reservation.max24HourSend} recipients in 24 hours`,
        }
  }
}

const waitUntil = (sendAtMs: number, remainingMs: number): SesWait => ({
  reason: 'SesRate',
  sendAt: new Date(Math.ceil(sendAtMs)),
  delaySeconds: Math.min(maxDelaySeconds, Math.floor(remainingMs / 1000) - queueLatenessSeconds),
  text: 'its quota permits the message later',
})
