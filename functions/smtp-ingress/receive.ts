/** Taking a message in: small ones into memory, large ones straight into an object of their own. */
import type { Readable } from 'node:stream'
import type { MultipartWriter } from '../../shared/content/multipart.ts'
import type { ContentReference } from '../../shared/contract/message.ts'
import { countReceived, LineInspector, maximumHops } from './inspect.ts'
import type { Holding } from './memory.ts'
import type { Pace } from './pace.ts'
import {
  insufficientMemory,
  Refusal,
  storageUnavailable,
  tooLarge,
  tooManyHops,
  unlawfulOctets,
} from './replies.ts'

/** Octets up to which a message is held and shares a segment. */
export const largestInMemory = 1024 * 1024

/** Octets beyond the maximum that are read and thrown away, for a client that reads its reply only after them. */
const swallowed = 8 * 1024 * 1024

/** The first buffer of every message. */
export const smallestHeld = 8192

export interface Intake {
  /** Octets the client may send. */
  maximum: number
  /** The account of what this message holds: released, unless its octets are returned. */
  holding: Holding
  pace: Pace
  /** Begins an object for a large message, and has its memory held. Its rejection is answered to the client. */
  startLarge(): Promise<MultipartWriter>
}

/**
 * Reads a message to its end, whatever is found on the way: a reply may only follow the final dot. Only from a
 * client that sends far more than it may is the rest not read.
 * @param header what this hop puts before the message
 * @returns the octets, or where they are
 * @throws Refusal when the message is not acceptable or could not be stored; the stream's error when the client left
 */
export async function receive(
  stream: Readable,
  header: Buffer,
  intake: Intake,
): Promise<Buffer | ContentReference> {
  const message = new IncomingMessage(header, intake)
  try {
    for await (const chunk of stream) {
      intake.pace.received(chunk.length)
      const pending = message.take(chunk as Buffer)
      if (pending) await intake.pace.whileWaiting(pending)
    }
    return await message.finish()
  } catch (error) {
    message.abandon()
    throw error
  }
}

class IncomingMessage {
  readonly #intake: Intake
  readonly #inspector = new LineInspector()
  readonly #headerLength: number
  #held = Buffer.alloc(0)
  #length = 0
  #received = 0
  #large: MultipartWriter | null = null
  #refusal: Refusal | null = null
  #abandoned: Promise<void> | null = null

  constructor(header: Buffer, intake: Intake) {
    this.#intake = intake
    this.#headerLength = header.length
    this.#hold(header)
  }

  /** @returns a promise only when there is something to wait for */
  take(chunk: Buffer): Promise<void> | undefined {
    this.#received += chunk.length
    const { maximum } = this.#intake
    if (this.#refusal) return this.#swallow(this.#refusal)
    this.#inspector.see(chunk)
    if (this.#received > maximum) this.#refuse(new Refusal(tooLarge(maximum)))
    else if (!this.#large && this.#length + chunk.length <= largestInMemory) this.#hold(chunk)
    else return this.#pass(chunk)
  }

  async finish(): Promise<Buffer | ContentReference> {
    if (this.#refusal) throw this.#refusal
    if (!this.#inspector.isLawful()) throw new Refusal(unlawfulOctets)
    if (!this.#large) {
      this.#refuseLoop()
      return this.#held.subarray(0, this.#length)
    }
    const reference = await this.#large.complete().catch((error) => {
      throw new Refusal(storageUnavailable, error)
    })
    this.#intake.holding.release()
    return reference
  }

  /**
   * Leaves nothing behind in the store. What cannot be removed now, the bucket's lifecycle removes. Nobody waits
   * for it, but its memory is held as long as a part is on its way.
   */
  abandon(): void {
    this.#abandoned ??= this.#discard()
  }

  async #discard(): Promise<void> {
    this.#held = Buffer.alloc(0)
    await this.#large?.abort().catch(() => {})
    this.#intake.holding.release()
  }

  #refuse(refusal: Refusal): void {
    this.#refusal = refusal
    this.abandon()
  }

  #swallow(refusal: Refusal): undefined {
    if (this.#received > this.#intake.maximum + swallowed) throw refusal
  }

  /** Copied, not kept: a client may send a message in chunks so small that each weighs more than its octets. */
  #hold(chunk: Buffer): void {
    const needed = this.#length + chunk.length
    if (needed > this.#held.length && !this.#enlarge(needed)) this.#refuse(new Refusal(insufficientMemory))
    else this.#length += chunk.copy(this.#held, this.#length)
  }

  #enlarge(needed: number): boolean {
    const capacity = Math.min(largestInMemory, Math.max(needed, this.#held.length * 2, smallestHeld))
    if (!this.#intake.holding.hold(capacity)) return false
    const larger = Buffer.allocUnsafe(capacity)
    this.#held.copy(larger, 0, 0, this.#length)
    this.#held = larger
    return true
  }

  async #pass(chunk: Buffer): Promise<void> {
    try {
      await (this.#large ?? (await this.#spill())).write(chunk)
    } catch (error) {
      this.#refuse(error instanceof Refusal ? error : new Refusal(storageUnavailable, error))
    }
  }

  async #spill(): Promise<MultipartWriter> {
    this.#refuseLoop()
    const large = await this.#intake.startLarge()
    this.#large = large
    await large.write(this.#held.subarray(0, this.#length))
    this.#held = Buffer.alloc(0)
    return large
  }

  #refuseLoop(): void {
    const head = this.#held.subarray(this.#headerLength, this.#length)
    if (countReceived(head) > maximumHops) throw new Refusal(tooManyHops)
  }
}
