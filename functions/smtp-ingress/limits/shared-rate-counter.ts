/**
 * Counts messages per minute for a key over several processes, without a request for each message. A process decides by
 * its own count and the last known counts of the other processes, and no decision waits for a request. Not covered:
 * between two reports a process does not learn of messages at other processes. So each process may exceed the limit by
 * an eighth, plus the messages that arrive during a report. Each count begins when the clock's minute begins, so twice
 * the limit can pass within a few seconds around that time. While reports fail, a process knows only the counts that it
 * received earlier in the same minute.
 */
import type { OtherCounts } from '../../../shared/transport/rate-table.ts'
import { causeOf, type Log } from '../log.ts'
import { BoundedMap } from './bounded-map.ts'
import {
  applyReport,
  emptyWindow,
  isBelowLimit,
  isReportOverdue,
  isReportUrgent,
  minuteOf,
  type RateWindow,
} from './rate-window.ts'

/** Shares counts between processes. */
export interface SharedCounts {
  /**
   * @param minute number of minutes since 1970
   * @param messages all messages of this minute that this process accepted, those of earlier reports included
   * @throws when the report fails
   */
  report(key: string, minute: number, messages: number): Promise<OtherCounts>
}

export interface SharedRateCounterOptions {
  /** Null when this process alone counts these keys. */
  counts: SharedCounts | null
  maxKeys: number
  log: Log
  /** Milliseconds since 1970. */
  now(): number
}

interface KeyCount {
  window: RateWindow
  limit: number
  isReporting: boolean
}

export class SharedRateCounter {
  readonly #options: SharedRateCounterOptions
  #minute = Number.NaN
  /** Counts of this minute. */
  #current: BoundedMap<KeyCount>
  /** Counts of the previous minute; empty without shared counts. */
  #previous: BoundedMap<KeyCount>
  #isFailing = false

  constructor(options: SharedRateCounterOptions) {
    this.#options = options
    this.#current = new BoundedMap({ maxKeys: options.maxKeys })
    this.#previous = new BoundedMap({ maxKeys: options.maxKeys })
  }

  /** @param at milliseconds since 1970 */
  isBelowLimit(key: string, limit: number, at: number): boolean {
    this.#startMinute(at)
    const keyCount = this.#current.get(key)
    return keyCount === undefined || isBelowLimit(keyCount.window, limit)
  }

  /** Counts a message. */
  countMessage(key: string, limit: number, at: number): void {
    this.#startMinute(at)
    const keyCount = this.#current.getOrCreate(key, () => this.#startCount(key))
    keyCount.window.ownCount++
    keyCount.limit = limit
    if (isReportUrgent(keyCount.window, limit) || isReportOverdue(keyCount.window, at))
      this.#report(key, keyCount, at)
  }

  /** Must be called once per second. Reports the messages that `countMessage` has not reported. */
  tick(at: number): void {
    this.#startMinute(at)
    for (const [key, keyCount] of this.#current.entries())
      if (keyCount.window.ownCount > keyCount.window.reportedCount) this.#report(key, keyCount, at)
  }

  /** A process that counted the key in the previous minute is expected to count it now. */
  #startCount(key: string): KeyCount {
    const counters = this.#previous.get(key)?.window.otherProcesses.counters ?? 0
    return { window: emptyWindow(counters), limit: 0, isReporting: false }
  }

  /** Begins new counts when the minute has changed. Drops unreported messages: no later decision depends on them. */
  #startMinute(at: number): void {
    const minute = minuteOf(at)
    if (minute === this.#minute) return
    this.#minute = minute
    // Without shared counts there are no other processes to expect.
    if (this.#options.counts !== null) this.#previous = this.#current
    this.#current = new BoundedMap({ maxKeys: this.#options.maxKeys })
  }

  #report(key: string, keyCount: KeyCount, at: number): void {
    const { counts } = this.#options
    if (counts === null || keyCount.isReporting) return
    const { ownCount } = keyCount.window
    keyCount.isReporting = true
    keyCount.window.reportedAt = at
    counts.report(key, this.#minute, ownCount).then(
      (others) => this.#applyReport(key, keyCount, ownCount, others),
      (error) => this.#handleFailure(keyCount, error),
    )
  }

  #applyReport(key: string, keyCount: KeyCount, reportedCount: number, others: OtherCounts): void {
    keyCount.isReporting = false
    keyCount.window = applyReport(keyCount.window, reportedCount, others)
    this.#logFailureChange(null)
    if (this.#current.get(key) === keyCount && isReportUrgent(keyCount.window, keyCount.limit))
      this.#report(key, keyCount, this.#options.now())
  }

  /** Until a report succeeds, reports of this key follow about once per second, whatever the number of messages. */
  #handleFailure(keyCount: KeyCount, error: unknown): void {
    keyCount.isReporting = false
    keyCount.window.isFailing = true
    this.#logFailureChange(error)
  }

  /** Logs once when reports begin to fail, and once when they work again. */
  #logFailureChange(error: unknown): void {
    const isFailing = error !== null
    if (isFailing === this.#isFailing) return
    this.#isFailing = isFailing
    const { log } = this.#options
    if (isFailing)
      log('error', 'message rates of connectors cannot be shared: each task counts alone', {
        cause: causeOf(error),
      })
    else log('info', 'message rates of connectors are shared between tasks again')
  }
}
