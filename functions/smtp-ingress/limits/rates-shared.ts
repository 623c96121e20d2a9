/**
 * Messages a minute by a key, over several processes, without a request a message. Each process decides by what it took
 * itself and by what it last heard of the others, and no decision waits. The limit: between two reports a process
 * knows of none but its own messages, so together they may take more than they should, each an eighth of the limit at
 * most and what comes while a report is under way; and a minute is the clock's, so the end of one and the beginning of
 * the next may together see twice the limit. While nobody answers to reports each process counts by itself.
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

/** Where processes tell each other of what they took. */
export interface SharedCounts {
  /**
   * @param minute since 1970
   * @param taken all messages of the minute so far that this process took
   * @throws when nobody answers
   */
  report(key: string, minute: number, taken: number): Promise<Others>
}

export interface SharedRatesOptions {
  /** Null where this process takes everything by which a key is counted. */
  counts: SharedCounts | null
  /** Keys that are counted at once. */
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
  /** Of this minute, and of the one before. */
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

  /** Once a second, for messages that no other one followed. */
  tick(at: number): void {
    this.#turnTo(at)
    for (const [key, counted] of this.#counted.entries())
      if (counted.window.own > counted.window.reported) this.#report(key, counted, at)
  }

  /** Who counted the key in the minute before is taken to count it now, too. */
  #begin(key: string): Counted {
    const counters = this.#before.get(key)?.window.others.counters ?? 0
    return { window: emptyWindow(counters), limit: 0, isReporting: false }
  }

  /** What was not reported of a minute that is over concerns no decision any more. */
  #turnTo(at: number): void {
    const minute = minuteOf(at)
    if (minute === this.#minute) return
    this.#minute = minute
    // Alone, there is nobody to expect.
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

  /** It is tried again a second later, however many come until then. */
  #failed(counted: Counted, error: unknown): void {
    counted.isReporting = false
    counted.window.isFailing = true
    this.#tell(error)
  }

  /** Once when it begins to fail, and once when it is over. */
  #tell(error: unknown): void {
    const isFailing = error !== null
    if (isFailing === this.#isFailing) return
    this.#isFailing = isFailing
    const { log } = this.#options
    if (isFailing)
      log('error', 'message rates of connectors are counted by this process alone', { cause: causeOf(error) })
    else log('info', 'message rates of connectors are counted together again')
  }
}
