/** A message that a client sends by DATA or BDAT (RFC 3030), until the reply to its end or to a refused chunk. */
import type { Reply } from '../../../shared/contract/message.ts'
import type { Refusal } from '../replies.ts'
import type { DataReader } from './data-reader.ts'
import type { MessageSink } from './message-sink.ts'

/** A message may have this number of chunks of any size; with more, their average size counts. */
const minChunks = 1000
/**
 * Even a client that sends each line as a chunk has a larger average. A chunk of this size costs less time than the
 * same octets of DATA in segments of one octet.
 */
const minAverageChunkOctets = 32

export class OpenMessage {
  readonly #sink: MessageSink
  readonly #reader: DataReader
  #chunks = 0
  #octets = 0

  constructor(sink: MessageSink, reader: DataReader) {
    this.#sink = sink
    this.#reader = reader
  }

  get earlyRefusal(): Refusal | null {
    return this.#sink.earlyRefusal
  }

  /** Whether the message is certain to be refused; then `end` returns the refusal. */
  get isRefused(): boolean {
    return this.#sink.isRefused || this.#reader.fault !== null
  }

  get hasTooManyChunks(): boolean {
    return this.#chunks > minChunks + this.#octets / minAverageChunkOctets
  }

  /** @param octets of the chunk */
  startChunk(octets: number): void {
    this.#chunks++
    this.#sink.announce(octets)
  }

  /**
   * @returns `end`: the position after the end of data, or -1; `room`: null, or a promise that resolves when the client
   *   may send more
   */
  read(octets: Buffer, from: number): { end: number; room: Promise<void> | null } {
    let room: Promise<void> | null = null
    const end = this.#reader.read(octets, from, (content) => {
      room = this.#sink.write(content) ?? room
    })
    this.#octets += (end < 0 ? octets.length : end) - from
    return { end, room }
  }

  /** Called after the last chunk, before `end`. */
  finishChunks(): void {
    this.#reader.finish((content) => void this.#sink.write(content))
  }

  /** As MessageSink.end. */
  end(): Promise<Reply> {
    return this.#sink.end(this.#reader.fault, this.#reader.normalisedFrom)
  }

  abandon(): void {
    this.#sink.abandon()
  }
}
