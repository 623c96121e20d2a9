/**
 * While storage fails, clients are turned away at the greeting instead of after they have sent their messages,
 * and the load balancer is told. After a while a probe looks whether storage answers; then one real failure is
 * enough to turn clients away again, and one success ends the episode.
 */
export interface BreakerOptions {
  /** Failures in a row that begin an episode. */
  threshold: number
  /** Resolves when storage answers. */
  probe(): Promise<void>
  /** Milliseconds before the first probe of an episode; doubles with each up to `slowest`. */
  pause: number
  slowest: number
  onChange?(isOpen: boolean): void
}

export class Breaker {
  readonly #options: BreakerOptions
  #failures = 0
  #pause: number
  #open = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: BreakerOptions) {
    this.#options = options
    this.#pause = options.pause
  }

  get isOpen(): boolean {
    return this.#open
  }

  succeeded(): void {
    this.#failures = 0
    this.#pause = this.#options.pause
    this.#set(false)
  }

  /** @param times how many writes, or messages of one write, were not stored */
  failed(times = 1): void {
    this.#failures += times
    if (this.#failures >= this.#options.threshold && !this.#open) {
      this.#set(true)
      this.#probeLater()
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #probeLater(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#probe(), this.#pause).unref()
    this.#pause = Math.min(this.#pause * 2, this.#options.slowest)
  }

  async #probe(): Promise<void> {
    try {
      await this.#options.probe()
    } catch {
      return this.#probeLater()
    }
    // Half open: the failures are still counted, so the next one opens it at once.
    this.#set(false)
  }

  #set(open: boolean): void {
    if (this.#open === open) return
    this.#open = open
    this.#options.onChange?.(open)
  }
}

/** Every try was given up: who waits for an answer learns it late enough, and need not learn it three times. */
export const isTimeout = (failure: unknown): boolean => (failure as Error | null)?.name === 'TimeoutError'
