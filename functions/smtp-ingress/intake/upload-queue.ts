/**
 * Queues uploads of large messages from the spool. The attack: hundreds of large messages end at the same time, and
 * each upload needs memory for a part. The defence: a few slots, each with the memory of one part, and a queue. Not
 * covered: a message that waits too long is refused with 452, because a client waits only ten minutes for the reply to
 * its end of data (RFC 5321 §4.5.3.2.6).
 */
export interface UploadQueueOptions {
  slots: number
  /** Octets of the buffer of a slot. */
  bufferOctets: number
  /** Milliseconds to wait for a slot. */
  timeoutMs: number
}

/** Thrown when an upload waited too long for a slot. */
export class UploadQueueTimeout extends Error {
  override readonly name = 'UploadQueueTimeout'

  constructor() {
    super('waited too long for an upload slot')
  }
}

export class UploadQueue {
  readonly #options: UploadQueueOptions
  #freeSlots: number
  #buffers: Buffer[] = []
  /** Functions that each admit one waiting upload; in order of arrival. */
  readonly #waiters = new Set<() => void>()

  constructor(options: UploadQueueOptions) {
    this.#options = options
    this.#freeSlots = options.slots
  }

  /**
   * Runs the work when a slot is free. The buffer belongs to the work until the work ends. After a failure the buffer
   * may still be in use, so it is not reused.
   * @throws UploadQueueTimeout; the signal's reason when aborted in the queue; errors of the work
   */
  async runInSlot<T>(work: (buffer: Buffer) => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#acquireSlot(signal)
    try {
      const buffer = this.#buffers.pop() ?? Buffer.allocUnsafeSlow(this.#options.bufferOctets)
      const result = await work(buffer)
      this.#buffers.push(buffer)
      return result
    } finally {
      this.#releaseSlot()
    }
  }

  async #acquireSlot(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#freeSlots > 0) {
      this.#freeSlots--
      return
    }
    const { promise, resolve: admit, reject } = Promise.withResolvers<void>()
    const rejectWaiter = (reason: unknown) => {
      this.#waiters.delete(admit)
      reject(reason)
    }
    const timer = setTimeout(() => rejectWaiter(new UploadQueueTimeout()), this.#options.timeoutMs)
    const onAbort = () => rejectWaiter(signal.reason)
    signal.addEventListener('abort', onAbort)
    this.#waiters.add(admit)
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }

  #releaseSlot(): void {
    const [next] = this.#waiters
    if (next === undefined) {
      this.#freeSlots++
      return
    }
    this.#waiters.delete(next)
    next()
  }
}
