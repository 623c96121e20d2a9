/**
 * Queues uploads of large messages from the spool. The attack: hundreds of large messages end at once, and each upload
 * needs memory for a part. The defence: a few slots, each with the memory of one part, and a queue. The limit: a client
 * waits ten minutes for the reply to its end of data (RFC 5321 §4.5.3.2.6). So a message that waits too long is refused
 * with 452.
 */
export interface SpoolLineOptions {
  places: number
  /** Octets of the buffer of a slot. */
  bufferOctets: number
  /** Milliseconds to wait for a slot. */
  patience: number
}

/** Waited too long for an upload slot. */
export class LineTooLongError extends Error {
  override readonly name = 'LineTooLongError'

  constructor() {
    super('waited too long for an upload slot')
  }
}

export class SpoolLine {
  readonly #options: SpoolLineOptions
  #free: number
  #buffers: Buffer[] = []
  /** Each call admits one waiting upload; in order of arrival. */
  readonly #waiting = new Set<() => void>()

  constructor(options: SpoolLineOptions) {
    this.#options = options
    this.#free = options.places
  }

  /**
   * Runs the work when a slot is free. The buffer belongs to the work until it ends. After a failure the buffer may
   * still be in use, so it is not reused.
   * @throws after the timeout; the signal's reason when aborted in the queue; errors of the work
   */
  async pass<T>(work: (buffer: Buffer) => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#enter(signal)
    try {
      const buffer = this.#buffers.pop() ?? Buffer.allocUnsafeSlow(this.#options.bufferOctets)
      const result = await work(buffer)
      this.#buffers.push(buffer)
      return result
    } finally {
      this.#leave()
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    const { promise, resolve: enter, reject } = Promise.withResolvers<void>()
    const leave = (reason: unknown) => {
      this.#waiting.delete(enter)
      reject(reason)
    }
    const timer = setTimeout(() => leave(new LineTooLongError()), this.#options.patience)
    const aborted = () => leave(signal.reason)
    signal.addEventListener('abort', aborted)
    this.#waiting.add(enter)
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
    }
  }

  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free++
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
