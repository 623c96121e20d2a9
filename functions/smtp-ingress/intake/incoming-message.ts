/**
 * A message while it comes: a small one in memory, a large one in the spool.
 *
 * The attack: as many sessions as the task takes, each with as much of a message as it holds. The defence: a session
 * holds of its message no more than its share of the task's memory (memory.ts), whatever it sends and however slowly;
 * the rest is in a file. So no message is ever refused for want of memory.
 */

import { type Refused, tooLarge } from '../replies.ts'
import type { Buffers } from './buffers.ts'
import { HeaderSection } from './header-section.ts'
import type { Spool } from './spool.ts'
import { type Rejected, SpooledContent, spoolFault } from './spooled-content.ts'

/** Octets beyond the maximum that are read and thrown away, for a client that reads its reply only after them. */
const swallowed = 8 * 1024 * 1024

/** The first buffer of a message: most messages fit. */
const smallestBuffer = 8192

/** What a message in the spool has of memory, twice: what fills, and what is on its way to the disk. */
const blockOctets = 32 * 1024

/** What became of a message: stored, with so many octets, or refused. */
export type Outcome = { size: number } | Rejected

export interface Limits {
  /** Octets the client may send. */
  maximum: number
  /** Octets of the header section. */
  maximumHeader: number
  /** Octets that a message may hold in memory. */
  held: number
}

/** What a message is taken in with. */
export interface Means {
  buffers: Buffers
  spool: Pick<Spool, 'file'>
  /** Makes a content durable. It never rejects. */
  store(content: Buffer | SpooledContent): Promise<Outcome>
}

/** Few sizes, so that a buffer suits the next message as well. */
const capacityFor = (octets: number): number => Math.max(smallestBuffer, 2 ** Math.ceil(Math.log2(octets)))

const lineEnd = Buffer.from('\r\n')

/**
 * White space at the beginning of a line goes on with the field before it (RFC 5322 §2.2.3). At the beginning of a
 * message that is our own, in which nobody else has a word: such a message has no header, and an empty line says so.
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

  /** @param header what this hop puts before the message */
  constructor(header: Buffer, limits: Limits, means: Means) {
    this.#limits = limits
    this.#means = means
    this.#section = new HeaderSection(limits.maximumHeader)
    this.#buffer = means.buffers.take(capacityFor(header.length))
    this.#filled = header.copy(this.#buffer)
  }

  /** Set once the client sends far more than it may. */
  get cut(): Rejected | null {
    return this.#received > this.#limits.maximum + swallowed ? this.#refused : null
  }

  /**
   * Takes what comes next; it is copied. A reply may only follow the final dot, so what is refused goes on coming.
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
   * @param fault what its reader found
   * @returns null when it was abandoned; it never rejects
   */
  async end(fault: Refused | null): Promise<Outcome | null> {
    if (fault !== null) this.#refuse(fault)
    if (this.#spooled !== null) await this.#spill(0)
    if (this.#isAbandoned) return null
    if (this.#refused !== null) return this.#refused
    return this.#spooled === null ? this.#storeHeld() : this.#storeSpooled(this.#spooled)
  }

  /** The client has left. Of a message in the line for the store, nothing is stored any more. */
  abandon(): void {
    this.#isAbandoned = true
    this.#letGo()
  }

  /** What comes is no header: our own field stands alone, before an empty line. */
  #endHeader(): void {
    this.#section.see(lineEnd)
    this.#keep(lineEnd)
  }

  /** A buffer that could not be stored may still be on its way, so it is not used again. */
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

  /** Copied, not kept: a client may send a message in chunks so small that each weighs more than its octets. */
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

  /** Sends what is held to the disk. @param next octets of the buffer that takes its place */
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
