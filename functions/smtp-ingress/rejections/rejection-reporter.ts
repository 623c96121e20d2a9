/**
 * Sends `Rejected` events. No reply waits for them. A batch leaves at most a second after its first rejection. While the
 * queue fails, one batch is repeated with the same ids, so that a copy counts once, and later rejections are counted
 * together (RejectionAggregator). A task that is killed loses its last second.
 */

import { newUlid } from '../../../shared/content/ulid.ts'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { createRejectedEvent } from '../../../shared/events/create-event.ts'
import { causeOf, type Log } from '../log.ts'
import type { Rejection } from './rejection.ts'
import { RejectionAggregator } from './rejection-aggregator.ts'

/** Milliseconds for which rejections are collected. */
const collectMs = 1000
const maxRetryDelayMs = 30_000
/** Milliseconds for which a task that stops waits for its last events. */
const stopTimeoutMs = 3000

export interface EventSender {
  /** Rejects when an event may not have been sent. */
  send(events: readonly MailEvent[]): Promise<void>
}

export class RejectionReporter {
  readonly #events: EventSender
  readonly #log: Log
  readonly #aggregator = new RejectionAggregator()
  /** The batch that is being sent or repeated. */
  #batch: readonly MailEvent[] = []
  #sending: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null
  #retryDelayMs = collectMs

  constructor(events: EventSender, log: Log) {
    this.#events = events
    this.#log = log
  }

  report(rejection: Rejection): void {
    this.#aggregator.add(rejection)
    if (this.#sending === null) this.#startTimer(collectMs)
  }

  /** Sends what is left, in a limited time. Logs the number of rejections that are lost. */
  async stop(): Promise<void> {
    const timeout = new Promise<void>((resolve) => setTimeout(resolve, stopTimeoutMs).unref())
    await Promise.race([this.#sendRest(), timeout])
    this.#cancelTimer()
    const lost = [...this.#batch, ...this.#aggregator.take()].reduce((sum, { count = 1 }) => sum + count, 0)
    if (lost > 0) this.#log('error', 'rejections could not be recorded', { lost })
  }

  async #sendRest(): Promise<void> {
    await this.#sending
    await this.#send()
    if (this.#batch.length === 0) await this.#send()
  }

  #startTimer(delayMs: number): void {
    this.#timer ??= setTimeout(() => void this.#send(), delayMs).unref()
  }

  #cancelTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #send(): Promise<void> {
    this.#cancelTimer()
    if (this.#batch.length === 0)
      this.#batch = this.#aggregator.take().map((fields) => createRejectedEvent(newUlid(), fields))
    this.#sending ??= this.#sendBatch().finally(() => {
      this.#sending = null
      if (this.#batch.length > 0) this.#startTimer(this.#retryDelayMs)
      else if (!this.#aggregator.isEmpty) this.#startTimer(collectMs)
    })
    return this.#sending
  }

  async #sendBatch(): Promise<void> {
    if (this.#batch.length === 0) return
    try {
      await this.#events.send(this.#batch)
      this.#batch = []
      this.#retryDelayMs = collectMs
    } catch (error) {
      this.#retryDelayMs = Math.min(2 * this.#retryDelayMs, maxRetryDelayMs)
      this.#log('error', 'the events of rejections could not be sent, and will be sent again', {
        events: this.#batch.length,
        cause: causeOf(error),
      })
    }
  }
}
