/**
 * Who takes a large message from the spool to the store. The attack: hundreds of large messages that end at once, each
 * needing memory for a part on its way. The defence: a few places, each with the memory of one part, and a line in
 * front of them. The limit: a client waits ten minutes for the reply to its final dot (RFC 5321 §4.5.3.2.6), so
 * whoever has stood in the line for too long hears that it must come again.
 */
export interface SpoolLineOptions {
  places: number
  /** Octets of the buffer that belongs to a place. */
  bufferOctets: number
  /** Milliseconds before a place. */
  patience: number
}

/** Nobody's turn came in time. */
export class LineTooLongError extends Error {
  override readonly name = 'LineTooLongError'

  constructor() {
    super('too many large messages at once')
  }
}

export class SpoolLine {
  readonly #options: SpoolLineOptions
  #free: number
  #buffers: Buffer[] = []
  /** Each lets in who stands there, in order. */
  readonly #waiting = new Set<() => void>()

  constructor(options: SpoolLineOptions) {
    this.#options = options
    this.#free = options.places
  }

  /**
   * Does the work when its turn has come. The buffer is its own until it has ended; what fails may still have it in
   * use, so it is given to nobody else.
   * @throws LineTooLongError; the signal's reason when it is aborted in the line; what the work throws
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
