/**
 * A message during the data phase: a small one in memory, a large one in the spool.
 *
 * The attack: every session of the task fills memory with its message. The defence: a session holds at most its share
 * of the task's memory, however fast the client sends. The rest of the message goes to a file. So no message is refused
 * for lack of memory.
 */

import { maxDiscardedOctets } from '../protocol/message-sink.ts'
import { type Refusal, tooLarge } from '../replies.ts'
import type { BufferPool } from './buffer-pool.ts'
import { HeaderSectionChecker } from './header-section-checker.ts'
import { type ReceivedContent, readSpooled, spooledOctets } from './received-content.ts'
import type { MessageSpool } from './spool.ts'
import { type RefusalWithCause, SpooledContent, spoolRefusal } from './spooled-content.ts'

/** Octets of a message's first buffer; most messages fit. */
const minBufferOctets = 8192

/** Octets of each of the two buffers of a spooled message: one fills while the other is written. */
const blockOctets = 32 * 1024

/** The message is stored with this size, or refused. */
export type Outcome = { size: number } | RefusalWithCause

export interface MessageLimits {
  /** Octets the client may send. */
  maxOctets: number
  /** Octets of the header section. */
  maxHeaderOctets: number
  /** Octets of a message in memory. */
  maxMemoryOctets: number
}

export interface MessageResources {
  buffers: BufferPool
  spool: MessageSpool
  /**
   * Checks the whole message before it is stored. Never rejects.
   * @returns null if there is nothing to check; a promise of null if the message may be stored
   */
  inspect(content: ReceivedContent): Promise<RefusalWithCause | null> | null
  /**
   * Makes the content durable. Never rejects.
   * @param headerMessageId the field Message-ID
   */
  store(content: Buffer | SpooledContent, headerMessageId: string | undefined): Promise<Outcome>
}

/** Rounds up to few distinct sizes, so that later messages can reuse the buffers. */
const bufferSizeFor = (octets: number): number => Math.max(minBufferOctets, 2 ** Math.ceil(Math.log2(octets)))

const lineEnd = Buffer.from('\r\n')

/**
 * White space at the start of a line continues the previous field (RFC 5322 §2.2.3). At the start of a message it would
 * continue the Received field of the ingress. Such a message has no header, so an empty line is inserted.
 */
const startsWithWhiteSpace = (octets: Buffer): boolean => octets[0] === 0x20 || octets[0] === 0x09

export class IncomingMessage {
  readonly #limits: MessageLimits
  readonly #resources: MessageResources
  readonly #headerSection: HeaderSectionChecker
  readonly #ownOctets: number
  #buffer: Buffer
  #filledOctets: number
  #receivedOctets = 0
  /** Octets at the end of the current chunk of BDAT. */
  #announcedOctets = 0
  #spooledContent: SpooledContent | null = null
  #refusal: RefusalWithCause | null = null
  #isAbandoned = false
  #abandonment: AbortController | null = null

  /** @param header the fields that this hop prepends */
  constructor(header: Buffer, limits: MessageLimits, resources: MessageResources) {
    this.#limits = limits
    this.#resources = resources
    this.#headerSection = new HeaderSectionChecker(limits.maxHeaderOctets)
    this.#buffer = resources.buffers.take(bufferSizeFor(header.length))
    this.#filledOctets = header.copy(this.#buffer)
    this.#ownOctets = header.length
  }

  /** The refusal, once the client has sent far more than allowed; null before. */
  get earlyRefusal(): RefusalWithCause | null {
    const octets = Math.max(this.#receivedOctets, this.#announcedOctets)
    return octets > this.#limits.maxOctets + maxDiscardedOctets ? this.#refusal : null
  }

  get isRefused(): boolean {
    return this.#refusal !== null
  }

  /** Octets that the client has sent so far. */
  get receivedOctets(): number {
    return this.#receivedOctets
  }

  /** The field Message-ID so far; undefined if there is none. */
  get headerMessageId(): string | undefined {
    return this.#headerSection.messageId
  }

  /** Refuses a message that will be too large before it takes memory or disk. */
  announce(octets: number): void {
    const { maxOctets } = this.#limits
    this.#announcedOctets = this.#receivedOctets + octets
    if (this.#announcedOctets > maxOctets) this.#refuse(tooLarge(maxOctets))
  }

  /**
   * Copies the octets. A reply may only follow the end of data, so the ingress continues to read a refused message.
   * @returns a promise while the disk is slower than the client; the promise never rejects
   */
  write(octets: Buffer): Promise<void> | undefined {
    if (this.#receivedOctets === 0 && startsWithWhiteSpace(octets)) this.#insertEmptyLine()
    this.#receivedOctets += octets.length
    if (this.#refusal !== null || this.#isAbandoned) return undefined
    const { maxOctets } = this.#limits
    const refusal = this.#receivedOctets > maxOctets ? tooLarge(maxOctets) : this.#headerSection.read(octets)
    if (refusal === null) return this.#append(octets)
    this.#refuse(refusal)
  }

  /**
   * @param fault reported by the data reader
   * @param normalisedFrom as for MessageSink.end
   * @returns null when abandoned; never rejects
   */
  async end(fault: Refusal | null, normalisedFrom: number | null = null): Promise<Outcome | null> {
    if (fault !== null) this.#refuse(fault)
    if (this.#spooledContent !== null) await this.#flushToSpool(0)
    if (this.#isAbandoned) return null
    if (this.#refusal !== null) return this.#refusal
    // The buffer is not reused while it is read, even if the client gives the message up.
    const buffer = this.#buffer
    this.#buffer = emptyBuffer
    const octets = buffer.subarray(0, this.#filledOctets)
    const inspection = this.#resources.inspect(this.#receivedContent(octets, normalisedFrom))
    if (inspection !== null) {
      const refusal = await inspection
      if (this.#isAbandoned) return null
      if (refusal !== null) {
        this.#refuse(refusal)
        return refusal
      }
    }
    return this.#spooledContent === null
      ? this.#storeBuffered(buffer, octets)
      : this.#storeSpooled(this.#spooledContent)
  }

  /** @param held the whole message, unless it is in the spool */
  #receivedContent(held: Buffer, normalisedFrom: number | null): ReceivedContent {
    const spooled = this.#spooledContent
    const from = this.#ownOctets
    const { octets: headerOctets, hops } = this.#headerSection
    const abandonment = () => {
      this.#abandonment ??= new AbortController()
      return this.#abandonment.signal
    }
    return {
      hops,
      // A bare CR is counted before the LF that it gets, so that the LF of an empty line is one octet behind the section.
      isHeaderNormalised: normalisedFrom !== null && normalisedFrom <= headerOctets + 1,
      async readHeader() {
        return spooled === null
          ? held.subarray(from, from + headerOctets)
          : readSpooled(spooled, from, headerOctets)
      },
      get octets() {
        return spooled === null ? held.subarray(from) : spooledOctets(spooled, from)
      },
      get signal() {
        return abandonment()
      },
    }
  }

  /** The client has disconnected. A message still in the upload queue is not stored. */
  abandon(): void {
    this.#isAbandoned = true
    this.#abandonment?.abort()
    this.#freeResources()
  }

  /** The message has no header: the Received field of the ingress stands alone before an empty line. */
  #insertEmptyLine(): void {
    this.#headerSection.read(lineEnd)
    this.#append(lineEnd)
  }

  /** After a failed store the buffer may still be in use, so it is not reused. */
  async #storeBuffered(buffer: Buffer, octets: Buffer): Promise<Outcome> {
    const outcome = await this.#resources.store(octets, this.headerMessageId)
    if ('size' in outcome) this.#resources.buffers.release(buffer)
    return outcome
  }

  async #storeSpooled(content: SpooledContent): Promise<Outcome | null> {
    const outcome = await this.#resources.store(content, this.headerMessageId)
    content.discard()
    return this.#isAbandoned && !('size' in outcome) ? null : outcome
  }

  #refuse(refusal: RefusalWithCause): void {
    this.#refusal ??= refusal
    this.#freeResources()
  }

  #freeResources(): void {
    this.#resources.buffers.release(this.#buffer)
    this.#buffer = emptyBuffer
    this.#filledOctets = 0
    this.#spooledContent?.discard()
  }

  /**
   * Copies the octets and keeps no chunks: a client may send chunks so small that the object of a chunk takes more
   * memory than its octets.
   */
  #append(octets: Buffer): Promise<void> | undefined {
    let pending: Promise<void> | undefined
    for (let from = 0; ; ) {
      const copiedOctets = octets.copy(this.#buffer, this.#filledOctets, from)
      this.#filledOctets += copiedOctets
      from += copiedOctets
      if (from === octets.length) return pending
      if (this.#canGrow()) this.#grow(octets.length - from)
      else pending = this.#flushToSpool(blockOctets)
    }
  }

  #canGrow(): boolean {
    return this.#spooledContent === null && this.#buffer.length < this.#limits.maxMemoryOctets
  }

  #grow(octets: number): void {
    const { buffers } = this.#resources
    const larger = buffers.take(
      Math.min(this.#limits.maxMemoryOctets, bufferSizeFor(this.#filledOctets + octets)),
    )
    this.#buffer.copy(larger, 0, 0, this.#filledOctets)
    buffers.release(this.#buffer)
    this.#buffer = larger
  }

  /** Writes the buffer to the disk. @param nextOctets size of the buffer that replaces the written one; 0 for none */
  async #flushToSpool(nextOctets: number): Promise<void> {
    const { buffers, spool } = this.#resources
    const buffer = this.#buffer
    const octets = buffer.subarray(0, this.#filledOctets)
    this.#buffer = nextOctets === 0 ? emptyBuffer : buffers.take(nextOctets)
    this.#filledOctets = 0
    this.#spooledContent ??= new SpooledContent(spool.createFile())
    try {
      await this.#spooledContent.append(octets)
      buffers.release(buffer)
    } catch (error) {
      this.#refuse(spoolRefusal(error))
    }
  }
}

const emptyBuffer = Buffer.alloc(0)
