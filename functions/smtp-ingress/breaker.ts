/**
 * Circuit breaker. While storage fails, the ingress refuses clients at the greeting and reports itself unhealthy to the
 * load balancer. After a pause, a probe checks whether storage responds. If so, one more failure opens the breaker
 * again; one success closes it.
 */
export interface BreakerOptions {
  /** Consecutive failures that open the breaker. */
  threshold: number
  /** Resolves when storage responds. */
  probe(): Promise<void>
  /** Milliseconds before the first probe; doubles with each probe, up to the maximum. */
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

  /** @param times failed writes, or messages of one failed write */
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
    // Half open: the failure count stays, so the next failure opens the breaker at once.
    this.#set(false)
  }

  #set(open: boolean): void {
    if (this.#open === open) return
    this.#open = open
    this.#options.onChange?.(open)
  }
}

/** All retries timed out. One such error counts as an outage: waiting for three would take too long. */
export const isTimeout = (failure: unknown): boolean => (failure as Error | null)?.name === 'TimeoutError'
