/**
 * Circuit breaker, for storage and for reads of the connectors. While the breaker is open, the ingress refuses clients
 * at the greeting and reports itself unhealthy to the load balancer. Probes follow with growing delays. The first probe
 * that succeeds closes the breaker, but keeps the failure count: the next failure opens the breaker again. A recorded
 * success resets the count.
 */
export interface CircuitBreakerOptions {
  /** Consecutive failures that open the breaker. */
  failureThreshold: number
  /** Sends a request to the service that failed. Resolves when the service responds. */
  probe(): Promise<void>
  /** Milliseconds before the first probe; doubles with each probe, up to `maxDelayMs`. */
  initialDelayMs: number
  maxDelayMs: number
  onChange?(isOpen: boolean): void
}

export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions
  #failures = 0
  #delayMs: number
  #open = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: CircuitBreakerOptions) {
    this.#options = options
    this.#delayMs = options.initialDelayMs
  }

  get isOpen(): boolean {
    return this.#open
  }

  recordSuccess(): void {
    this.#failures = 0
    this.#delayMs = this.#options.initialDelayMs
    this.#setOpen(false)
  }

  /** @param count number of failures: the messages of one failed write, or a larger number for a timeout */
  recordFailures(count = 1): void {
    this.#failures += count
    if (this.#failures >= this.#options.failureThreshold && !this.#open) {
      this.#setOpen(true)
      this.#scheduleProbe()
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #scheduleProbe(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#probe(), this.#delayMs).unref()
    this.#delayMs = Math.min(this.#delayMs * 2, this.#options.maxDelayMs)
  }

  async #probe(): Promise<void> {
    try {
      await this.#options.probe()
    } catch {
      return this.#scheduleProbe()
    }
    // Half open: the failure count stays, so the next failure opens the breaker immediately.
    this.#setOpen(false)
  }

  #setOpen(open: boolean): void {
    if (this.#open === open) return
    this.#open = open
    this.#options.onChange?.(open)
  }
}

/**
 * True for a request that timed out, retries included. Callers record one such error as `failureThreshold` failures:
 * waiting for that many timeouts would take too long.
 */
export const isTimeout = (error: unknown): boolean => (error as Error | null)?.name === 'TimeoutError'
