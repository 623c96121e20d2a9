/** Taking a message in: small ones into memory, large ones straight into an object of their own. */
import type { Readable } from 'node:stream'
import type { MultipartWriter } from '../../shared/content/multipart.ts'
import type { ContentReference } from '../../shared/contract/message.ts'
import { countReceived, LineInspector, maximumHops } from './inspect.ts'
import { Refusal, storageUnavailable, tooLarge, tooManyHops, unlawfulOctets } from './replies.ts'

/** Octets up to which a message is held and shares a segment. */
export const largestInMemory = 1024 * 1024

export interface Intake {
  /** Octets the client may send. */
  maximum: number
  /** Begins an object for a large message. Its rejection is answered to the client. */
  startLarge(): Promise<MultipartWriter>
}

/**
 * Reads a message to its end, whatever is found on the way: a reply may only follow the final dot.
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
    for await (const chunk of stream) await message.take(chunk as Buffer)
    return await message.finish()
  } catch (error) {
    await message.abandon()
    throw error
  }
}

class IncomingMessage {
  readonly #intake: Intake
  readonly #inspector = new LineInspector()
  readonly #headerLength: number
  #held: Buffer
  #length: number
  #received = 0
  #large: MultipartWriter | null = null
  #refusal: Refusal | null = null

  constructor(header: Buffer, intake: Intake) {
    this.#intake = intake
    this.#held = Buffer.allocUnsafe(8192)
    this.#headerLength = header.length
    this.#length = header.copy(this.#held)
  }

  /** @returns a promise only when there is something to wait for */
  take(chunk: Buffer): Promise<void> | undefined {
    this.#inspector.see(chunk)
    this.#received += chunk.length
    if (this.#refusal) return
    if (this.#received > this.#intake.maximum) this.#refusal = new Refusal(tooLarge(this.#intake.maximum))
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
    this.#large = null
    return reference
  }

  /** Leaves nothing behind in the store. What cannot be removed now, the bucket's lifecycle removes. */
  async abandon(): Promise<void> {
    await this.#large?.abort().catch(() => {})
  }

  /** Copied, not kept: a client may send a message in chunks so small that each weighs more than its octets. */
  #hold(chunk: Buffer): void {
    const needed = this.#length + chunk.length
    if (needed > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.min(largestInMemory, Math.max(needed, this.#held.length * 2)))
      this.#held.copy(larger, 0, 0, this.#length)
      this.#held = larger
    }
    this.#length += chunk.copy(this.#held, this.#length)
  }

  async #pass(chunk: Buffer): Promise<void> {
    try {
      await (this.#large ?? (await this.#spill())).write(chunk)
    } catch (error) {
      this.#refusal = error instanceof Refusal ? error : new Refusal(storageUnavailable, error)
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
