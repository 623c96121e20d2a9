/**
 * Messages a minute for a key, over several processes, without a request for each message. A process decides by its own
 * count and the last known counts of the others; no decision waits. The limit: between two reports a process knows only
 * its own messages. Together they may exceed the limit by an eighth each, plus what arrives during a report. Minutes
 * are the clock's, so the end of one and the start of the next may together see twice the limit. While reports fail,
 * each process counts alone.
 */
import type { Others } from '../../../shared/transport/rates.ts'
import { causeOf, type Log } from '../log.ts'
import { BoundedMemory } from './bounded-memory.ts'
import {
  afterReport,
  emptyWindow,
  hasRoom,
  isMuch,
  isOverdue,
  minuteOf,
  type Window,
} from './rates-window.ts'

/** Shares counts between processes. */
export interface SharedCounts {
  /**
   * @param minute since 1970
   * @param taken all messages of this minute that this process accepted
   * @throws when the report fails
   */
  report(key: string, minute: number, taken: number): Promise<Others>
}

export interface SharedRatesOptions {
  /** Null when this process alone counts these keys. */
  counts: SharedCounts | null
  /** Keys counted at once. */
  most: number
  log: Log
  /** Milliseconds since 1970. */
  now(): number
}

interface Counted {
  window: Window
  limit: number
  isReporting: boolean
}

export class SharedRates {
  readonly #options: SharedRatesOptions
  #minute = Number.NaN
  /** Counts of this minute and of the previous one. */
  #counted: BoundedMemory<Counted>
  #before: BoundedMemory<Counted>
  #isFailing = false

  constructor(options: SharedRatesOptions) {
    this.#options = options
    this.#counted = new BoundedMemory({ most: options.most })
    this.#before = new BoundedMemory({ most: options.most })
  }

  /** @param at milliseconds since 1970 */
  hasRoom(key: string, limit: number, at: number): boolean {
    this.#turnTo(at)
    const counted = this.#counted.get(key)
    return counted === undefined || hasRoom(counted.window, limit)
  }

  /** Counts a message. */
  take(key: string, limit: number, at: number): void {
    this.#turnTo(at)
    const counted = this.#counted.getOrMake(key, () => this.#begin(key))
    counted.window.own++
    counted.limit = limit
    if (isMuch(counted.window, limit) || isOverdue(counted.window, at)) this.#report(key, counted, at)
  }

  /** Runs once a second, to report messages that no later message reported. */
  tick(at: number): void {
    this.#turnTo(at)
    for (const [key, counted] of this.#counted.entries())
      if (counted.window.own > counted.window.reported) this.#report(key, counted, at)
  }

  /** A process that counted the key in the previous minute is expected to count it now. */
  #begin(key: string): Counted {
    const counters = this.#before.get(key)?.window.others.counters ?? 0
    return { window: emptyWindow(counters), limit: 0, isReporting: false }
  }

  /** Unreported messages of a past minute affect no further decision. */
  #turnTo(at: number): void {
    const minute = minuteOf(at)
    if (minute === this.#minute) return
    this.#minute = minute
    // Without shared counts there are no other processes to expect.
    if (this.#options.counts !== null) this.#before = this.#counted
    this.#counted = new BoundedMemory({ most: this.#options.most })
  }

  #report(key: string, counted: Counted, at: number): void {
    const { counts } = this.#options
    if (counts === null || counted.isReporting) return
    const { own } = counted.window
    counted.isReporting = true
    counted.window.reportedAt = at
    counts.report(key, this.#minute, own).then(
      (others) => this.#reported(key, counted, own, others),
      (error) => this.#failed(counted, error),
    )
  }

  #reported(key: string, counted: Counted, reported: number, others: Others): void {
    counted.isReporting = false
    counted.window = afterReport(counted.window, reported, others)
    this.#tell(null)
    if (this.#counted.get(key) === counted && isMuch(counted.window, counted.limit))
      this.#report(key, counted, this.#options.now())
  }

  /** The next report follows a second later, however many messages arrive. */
  #failed(counted: Counted, error: unknown): void {
    counted.isReporting = false
    counted.window.isFailing = true
    this.#tell(error)
  }

  /** Logs once when reports begin to fail, and once when they work again. */
  #tell(error: unknown): void {
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
