/**
 * A message during the data phase: a small one in memory, a large one in the spool.
 *
 * The attack: every session of the task holds as much of a message as it can. The defence: a session holds at most its
 * share of the task's memory, at any speed; the rest goes to a file. So no message is refused for lack of memory.
 */

import { type Refusal, tooLarge } from '../replies.ts'
import type { Buffers } from './buffers.ts'
import { HeaderSection } from './header-section.ts'
import type { MessageSpool } from './spool.ts'
import { type Rejected, SpooledContent, spoolFault } from './spooled-content.ts'

/** Octets beyond the maximum that are read and dropped: many clients read the reply only after their last octet. */
const swallowed = 8 * 1024 * 1024

/** Octets of a message's first buffer; most messages fit. */
const smallestBuffer = 8192

/** Octets of each of the two buffers of a spooled message: one fills while the other is written. */
const blockOctets = 32 * 1024

/** Stored with this size, or refused. */
export type Outcome = { size: number } | Rejected

export interface Limits {
  /** Octets the client may send. */
  maximum: number
  /** Octets of the header section. */
  maximumHeader: number
  /** Octets of a message in memory. */
  held: number
}

export interface Means {
  buffers: Buffers
  spool: MessageSpool
  /** Makes the content durable. Never rejects. */
  store(content: Buffer | SpooledContent): Promise<Outcome>
}

/** Few distinct sizes, so that later messages can reuse the buffers. */
const capacityFor = (octets: number): number => Math.max(smallestBuffer, 2 ** Math.ceil(Math.log2(octets)))

const lineEnd = Buffer.from('\r\n')

/**
 * White space at the start of a line continues the previous field (RFC 5322 §2.2.3). At the start of a message it would
 * continue our Received field. Such a message has no header, so an empty line is inserted.
 */
const beginsFolded = (octets: Buffer): boolean => octets[0] === 0x20 || octets[0] === 0x09

export class IncomingMessage {
  readonly #limits: Limits
  readonly #means: Means
  readonly #section: HeaderSection
  #buffer: Buffer
  #filled: number
  #received = 0
  #spooled: SpooledContent | null = null
  #refused: Rejected | null = null
  #isAbandoned = false

  /** @param header the fields that this hop prepends */
  constructor(header: Buffer, limits: Limits, means: Means) {
    this.#limits = limits
    this.#means = means
    this.#section = new HeaderSection(limits.maximumHeader)
    this.#buffer = means.buffers.take(capacityFor(header.length))
    this.#filled = header.copy(this.#buffer)
  }

  /** Set once the client has sent far more than allowed. */
  get cut(): Rejected | null {
    return this.#received > this.#limits.maximum + swallowed ? this.#refused : null
  }

  /**
   * Copies the octets. A reply may only follow the end of data, so a refused message is read on.
   * @returns a promise while the disk is behind; it never rejects
   */
  write(octets: Buffer): Promise<void> | undefined {
    if (this.#received === 0 && beginsFolded(octets)) this.#endHeader()
    this.#received += octets.length
    if (this.#refused !== null || this.#isAbandoned) return undefined
    const { maximum } = this.#limits
    const refused = this.#received > maximum ? tooLarge(maximum) : this.#section.see(octets)
    if (refused === null) return this.#keep(octets)
    this.#refuse(refused)
  }

  /**
   * @param fault reported by the data reader
   * @returns null when abandoned; never rejects
   */
  async end(fault: Refusal | null): Promise<Outcome | null> {
    if (fault !== null) this.#refuse(fault)
    if (this.#spooled !== null) await this.#spill(0)
    if (this.#isAbandoned) return null
    if (this.#refused !== null) return this.#refused
    return this.#spooled === null ? this.#storeHeld() : this.#storeSpooled(this.#spooled)
  }

  /** The client has disconnected. A message still in the upload queue is not stored. */
  abandon(): void {
    this.#isAbandoned = true
    this.#letGo()
  }

  /** The message has no header: our field stands alone before an empty line. */
  #endHeader(): void {
    this.#section.see(lineEnd)
    this.#keep(lineEnd)
  }

  /** After a failed store the buffer may still be in use, so it is not reused. */
  async #storeHeld(): Promise<Outcome> {
    const buffer = this.#buffer
    this.#buffer = nothing
    const outcome = await this.#means.store(buffer.subarray(0, this.#filled))
    if ('size' in outcome) this.#means.buffers.giveBack(buffer)
    return outcome
  }

  async #storeSpooled(content: SpooledContent): Promise<Outcome | null> {
    const outcome = await this.#means.store(content)
    content.discard()
    return this.#isAbandoned && !('size' in outcome) ? null : outcome
  }

  #refuse(refused: Rejected): void {
    this.#refused ??= refused
    this.#letGo()
  }

  #letGo(): void {
    this.#means.buffers.giveBack(this.#buffer)
    this.#buffer = nothing
    this.#filled = 0
    this.#spooled?.discard()
  }

  /** Copies instead of keeping: a client may send chunks so small that each costs more than its octets. */
  #keep(octets: Buffer): Promise<void> | undefined {
    let pending: Promise<void> | undefined
    for (let from = 0; ; ) {
      const copied = octets.copy(this.#buffer, this.#filled, from)
      this.#filled += copied
      from += copied
      if (from === octets.length) return pending
      if (this.#canGrow()) this.#grow(octets.length - from)
      else pending = this.#spill(blockOctets)
    }
  }

  #canGrow(): boolean {
    return this.#spooled === null && this.#buffer.length < this.#limits.held
  }

  #grow(octets: number): void {
    const { buffers } = this.#means
    const larger = buffers.take(Math.min(this.#limits.held, capacityFor(this.#filled + octets)))
    this.#buffer.copy(larger, 0, 0, this.#filled)
    buffers.giveBack(this.#buffer)
    this.#buffer = larger
  }

  /** Writes the buffer to the disk. @param next size in octets of the buffer that replaces it */
  async #spill(next: number): Promise<void> {
    const { buffers, spool } = this.#means
    const buffer = this.#buffer
    const octets = buffer.subarray(0, this.#filled)
    this.#buffer = next === 0 ? nothing : buffers.take(next)
    this.#filled = 0
    this.#spooled ??= new SpooledContent(spool.file())
    try {
      await this.#spooled.append(octets)
      buffers.giveBack(buffer)
    } catch (error) {
      this.#refuse(spoolFault(error))
    }
  }
}

const nothing = Buffer.alloc(0)
