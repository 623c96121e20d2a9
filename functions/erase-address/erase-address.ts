/**
 * Erases what is stored of one mail address, in passes. Each pass looks into every store. What was on its way during a pass,
 * such as an event on its queue or a DSN that is being written, is found by the next. The erasure has succeeded when a whole
 * pass has found nothing.
 *
 * A seal may have read raw events before they were rewritten, and write its Parquet file after the pass. So the last pass
 * begins when no such seal runs any more.
 *
 * An invocation that runs out of time invokes the function again with its position. An invocation that is killed is
 * repeated by Lambda from the same position: each act may be repeated.
 */
import type { ErasePosition, EraseRequest } from '../../shared/contract/erase-request.ts'
import type { ErasedCounts, Erasure, Erasures } from '../../shared/events/erasures.ts'
import { countText } from '../../shared/policy/text-lists.ts'
import type { Part, Step } from './step.ts'

export interface Dependencies {
  erasures: Pick<Erasures, 'load' | 'write'>
  steps: readonly Step[]
  /** Returns the parts of the configuration that have the address. */
  remaining(): Promise<string[]>
  /** Whether an hour has ended whose seal is not complete. */
  hasUnsealedHour(): Promise<boolean>
  /** Starts another invocation of this function. */
  invoke(request: EraseRequest): Promise<void>
  /** Milliseconds until the invocation is ended. */
  remainingMs(): number
  /** Milliseconds since the epoch. */
  now(): number
  sleep(ms: number): Promise<void>
  /** Milliseconds between passes: longer than an event waits until it is stored. */
  waitMs: number
}

/** Passes that find the address. With more, mail of the address still arrives. */
const maxPasses = 5
/** A seal runs for this many waits at most. */
const maxSealWaits = 5
/** Waits between passes while a seal may run. */
const sealWaits = 2

/** Longer than any part of a step takes. */
const reserveMs = 120_000
/** The state shows that the function is alive. */
const writeEveryMs = 15_000

const maxSamples = 5

const firstPosition: ErasePosition = {
  passes: 0,
  step: 0,
  after: null,
  hasFound: false,
  unsettled: 0,
  samples: [],
  rawChangedAt: null,
  waits: false,
}

/** @throws Error when a store fails; Lambda then repeats the invocation */
export async function eraseAddress(request: EraseRequest, dependencies: Dependencies): Promise<void> {
  const erasure = await dependencies.erasures.load(request.id)
  if (erasure === null) throw new Error(`there is no erasure ${request.id}`)
  // Lambda may deliver an event twice.
  if (erasure.state === 'Running') await new Run(request, erasure, dependencies).run()
}

class Run {
  readonly #request: EraseRequest
  readonly #dependencies: Dependencies
  #erasure: Erasure
  #position: ErasePosition
  #writtenAt = 0

  constructor(request: EraseRequest, erasure: Erasure, dependencies: Dependencies) {
    this.#request = request
    this.#erasure = erasure
    this.#dependencies = dependencies
    const position = request.position ?? firstPosition
    // An earlier invocation that was killed may have rewritten raw events.
    const rawChangedAt = position.rawChangedAt ?? (erasure.erased.files > 0 ? dependencies.now() : null)
    this.#position = { ...position, rawChangedAt }
  }

  async run(): Promise<void> {
    do {
      if (this.#position.waits && !(await this.#wait())) return this.#continueLater()
      if (!(await this.#pass())) return this.#continueLater()
    } while (!(await this.#isFinished()))
  }

  /** @returns false if too little time is left */
  async #wait(): Promise<boolean> {
    const { hasUnsealedHour, sleep, remainingMs, waitMs } = this.#dependencies
    const ms = this.#mayBeSealed() && (await hasUnsealedHour()) ? sealWaits * waitMs : waitMs
    if (remainingMs() < ms + reserveMs) return false
    await this.#write()
    await sleep(ms)
    this.#position = { ...this.#position, waits: false }
    return true
  }

  /** Whether a seal may have read raw events before they were rewritten, and still run. */
  #mayBeSealed(): boolean {
    const { now, waitMs } = this.#dependencies
    const { rawChangedAt } = this.#position
    return rawChangedAt !== null && now() - rawChangedAt < maxSealWaits * waitMs
  }

  /** @returns false if the time ended before the pass */
  async #pass(): Promise<boolean> {
    const { steps } = this.#dependencies
    for (let step = steps[this.#position.step]; step !== undefined; step = steps[this.#position.step]) {
      for await (const part of step.run(this.#position.after)) {
        if (this.#add(part, step) || this.#isWriteDue()) await this.#write()
        // Without a position the step has ended, or has no parts.
        if (part.after !== null && this.#isOutOfTime()) return false
      }
      this.#position = { ...this.#position, step: this.#position.step + 1, after: null }
    }
    return true
  }

  /** @returns whether something was erased */
  #add({ after, erased, isIncomplete = false, unsettled = [] }: Part, { changesRaw = false }: Step): boolean {
    const position = this.#position
    const names = Object.keys(erased) as (keyof ErasedCounts)[]
    const hasErased = names.some((name) => (erased[name] ?? 0) > 0)
    const counts = { ...this.#erasure.erased }
    for (const name of names) counts[name] += erased[name] ?? 0
    this.#erasure = { ...this.#erasure, erased: counts }
    this.#position = {
      ...position,
      after,
      hasFound: position.hasFound || hasErased || isIncomplete,
      unsettled: position.unsettled + unsettled.length,
      samples: [...new Set([...position.samples, ...unsettled.filter((id) => id !== '')])].slice(
        0,
        maxSamples,
      ),
      ...(changesRaw && hasErased && { rawChangedAt: this.#dependencies.now() }),
    }
    return hasErased
  }

  /** Ends the pass. */
  async #isFinished(): Promise<boolean> {
    const { passes, hasFound, unsettled, samples, rawChangedAt } = this.#position
    const isClean = !hasFound && unsettled === 0
    if (isClean && !(this.#mayBeSealed() && (await this.#dependencies.hasUnsealedHour())))
      return this.#finish('Succeeded', null)
    if (!isClean && passes + 1 >= maxPasses) return this.#finish('Failed', reasonOf(unsettled, samples))
    this.#position = { ...firstPosition, passes: isClean ? passes : passes + 1, rawChangedAt, waits: true }
    return false
  }

  async #finish(state: 'Succeeded' | 'Failed', reason: string | null): Promise<true> {
    const { remaining, now } = this.#dependencies
    this.#erasure = {
      ...this.#erasure,
      state,
      reason,
      remaining: await remaining(),
      finishedAt: new Date(now()).toISOString(),
    }
    await this.#write()
    return true
  }

  async #continueLater(): Promise<void> {
    await this.#write()
    await this.#dependencies.invoke({ ...this.#request, position: this.#position })
  }

  #isOutOfTime(): boolean {
    return this.#dependencies.remainingMs() < reserveMs
  }

  #isWriteDue(): boolean {
    return this.#dependencies.now() - this.#writtenAt >= writeEveryMs
  }

  async #write(): Promise<void> {
    this.#writtenAt = this.#dependencies.now()
    await this.#dependencies.erasures.write(this.#erasure)
  }
}

function reasonOf(unsettled: number, samples: readonly string[]): string {
  if (unsettled === 0)
    return 'The last pass still found the address, because mail of it arrives. Erase it again later.'
  const ids = samples.length === 0 ? '' : ` (${samples.join(', ')})`
  return `${countText(unsettled, 'message')} with the address ${unsettled === 1 ? 'is' : 'are'} neither delivered nor bounced${ids}. Return or drop this mail, redrive its dead letters, or wait. Then erase the address again.`
}
