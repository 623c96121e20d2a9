/**
 * Reads the content of a message: after DATA up to the end of data (RFC 5321 §4.1.1.4, §4.5.2), or from the chunks of
 * BDAT, whose dots are content (RFC 3030 §2).
 *
 * The attack: SMTP smuggling (CVE-2023-51764, CVE-2023-51765, CVE-2023-51766). Two servers see different ends of a
 * message, because the second server accepts a bare LF or CR as a line end. The second server reads the rest of the
 * message as commands, and so as another message from the first server. The defence: only CR LF . CR LF ends a message,
 * and a message with a bare CR, bare LF or NUL is refused. With `Normalise` such a message is accepted, its bare CR and
 * LF become CRLF, and each NUL is dropped. That is also safe: the end of data is the same, and mailflow's SMTP client
 * doubles the dot of every line that begins with a dot. So chunks may contain CR LF . CR LF. Not covered: normalised
 * octets differ from the signed octets, so DKIM signatures break.
 */

export interface DataReaderOptions {
  /** Octets of a line with its CRLF, at least 2. The dot that SMTP adds is not counted (RFC 5321 §4.5.3.1.6). */
  maxLineOctets: number
  /** Treatment of a bare CR, a bare LF or a NUL. */
  bareNewlines: 'Refuse' | 'Normalise'
}

/** The command that transmits the content. */
export type DataCommand = 'DATA' | 'BDAT'

export type DataFault = 'BareNewlines' | 'LineTooLong'

type ContentHandler = (octets: Buffer) => void

/** The part of CR LF . CR LF that was read: nothing, CR, CR LF, CR LF ., CR LF . CR, all. */
type EndOfDataProgress = 'Text' | 'Return' | 'LineEnd' | 'Dot' | 'DotReturn' | 'End'

const NUL = 0
const LF = 10
const CR = 13
const DOT = 46

const endOfData = '\r\n.\r\n'

/**
 * Match the octets that need attention: a NUL, a CR without LF, an LF without CR, and after DATA the CR of a line end
 * before a dot. One regular expression is four times as fast as a loop over octets.
 */
const specialOctetsByCommand: Record<DataCommand, RegExp> = {
  DATA: /\0|\r(?!\n(?!\.))|(?<!\r)\n/g,
  BDAT: /\0|\r(?!\n)|(?<!\r)\n/g,
}

const lineEnd = Buffer.from('\r\n')

/** Input octets for which one output buffer has room when each becomes two octets. */
const normaliseChunkOctets = 8192

/** Reads one message, in linear time for any octets and chunks. */
export class DataReader {
  /** True for chunks: no dot is special, and there is no end of data. */
  readonly #hasChunks: boolean
  readonly #specialOctets: RegExp
  readonly #maxLineOctets: number
  readonly #isNormalising: boolean
  #fault: DataFault | null = null
  /** Begins with `LineEnd`: a dot alone in the first line also ends the message. */
  #progress: EndOfDataProgress = 'LineEnd'
  /** Octets of the current line that were passed on. */
  #lineOctets = 0
  /** Octets that were passed on. */
  #contentOctets = 0
  #normalisedFrom: number | null = null

  constructor({ maxLineOctets, bareNewlines }: DataReaderOptions, command: DataCommand = 'DATA') {
    this.#hasChunks = command === 'BDAT'
    this.#specialOctets = specialOctetsByCommand[command]
    this.#maxLineOctets = maxLineOctets
    this.#isNormalising = bareNewlines === 'Normalise'
  }

  /** The first fault of the message; independent of how octets are split into chunks. */
  get fault(): DataFault | null {
    return this.#fault
  }

  /** Octets of the content before the first octet that was normalised; null if none was. */
  get normalisedFrom(): number | null {
    return this.#normalisedFrom
  }

  /**
   * Reads `chunk` from `from` on and passes content on, without the dots that SMTP adds, in as few non-empty parts as
   * possible. After a fault it continues to the end of data and still passes octets, so that they can be counted.
   * @returns the position in the chunk where the commands after the end of data begin, or -1; always -1 for BDAT
   */
  read(chunk: Buffer, from: number, onContent: ContentHandler): number {
    return this.#fault
      ? this.#readAfterFault(chunk, from, onContent)
      : this.#readClean(chunk, from, onContent)
  }

  /**
   * Called after the last chunk. A message must end with CRLF, because the next hop receives it by DATA; a last line
   * without CRLF gets one. A CR at the very end is bare.
   */
  finish(onContent: ContentHandler): void {
    if (this.#fault || this.#progress === 'LineEnd') return
    const isAfterCr = this.#progress === 'Return'
    if (isAfterCr && this.#isNormalising) this.#normalisedFrom ??= this.#contentOctets
    if (isAfterCr && !this.#isNormalising) this.#fault = 'BareNewlines'
    else this.#emit(lineEnd, isAfterCr ? 1 : 0, 2, onContent)
    this.#progress = 'LineEnd'
  }

  /** Content is unchanged except for dots, so parts of the chunk are passed without copying. */
  #readClean(chunk: Buffer, from: number, onContent: ContentHandler): number {
    const text = chunk.toString('latin1', from)
    let start = from
    let at = from
    while (at < chunk.length) {
      this.#progress = this.#progressBefore(chunk[at] as number)
      if (this.#progress === 'Text') at = from + findSpecialOctet(this.#specialOctets, text, at - from)
      if (at === chunk.length) {
        if (chunk[at - 1] === LF) this.#progress = 'LineEnd'
        break
      }
      const octet = chunk[at] as number
      if (isBareNewline(this.#progress, octet)) return this.#handleBareNewline(chunk, start, at, onContent)
      this.#progress = advance(this.#progress, octet)
      if (this.#progress === 'End') return at + 1
      if (this.#progress === 'Dot') {
        this.#emit(chunk, start, at, onContent)
        start = at + 1
      }
      at++
    }
    if (this.#progress !== 'DotReturn') this.#emit(chunk, start, at, onContent)
    return -1
  }

  /** @returns `Text` in place of `LineEnd`, unless the octet is a dot that may be a dot of SMTP */
  #progressBefore(octet: number): EndOfDataProgress {
    const isText = this.#progress === 'LineEnd' && (this.#hasChunks || octet !== DOT)
    return isText ? 'Text' : this.#progress
  }

  /** @param at position of the octet that reveals the fault */
  #handleBareNewline(chunk: Buffer, start: number, at: number, onContent: ContentHandler): number {
    if (this.#progress !== 'DotReturn') this.#emit(chunk, start, at, onContent)
    if (this.#isNormalising) {
      this.#normalisedFrom ??= this.#contentOctets
      return this.#normalise(chunk, at, onContent)
    }
    this.#fault ??= 'BareNewlines'
    return this.#readAfterFault(chunk, at, onContent)
  }

  /** Processes each octet, because any may need replacement. */
  #normalise(chunk: Buffer, from: number, onContent: ContentHandler): number {
    const normalised = Buffer.allocUnsafe(2 * Math.min(normaliseChunkOctets, chunk.length - from) + 2)
    let length = 0
    for (let at = from; at < chunk.length; at++) {
      const octet = chunk[at] as number
      if (length + 3 > normalised.length) {
        this.#emit(normalised, 0, length, onContent)
        length = 0
      }
      const previousProgress = this.#progressBefore(octet)
      this.#progress = advance(previousProgress, octet)
      if (this.#progress === 'End') {
        this.#emit(normalised, 0, length, onContent)
        return at + 1
      }
      length = writeNormalised(normalised, length, previousProgress, octet)
    }
    this.#emit(normalised, 0, length, onContent)
    return -1
  }

  /** Continues to the end of data after a fault. */
  #readAfterFault(chunk: Buffer, from: number, onContent: ContentHandler): number {
    const end = this.#hasChunks ? -1 : this.#findEnd(chunk, from)
    const stop = end < 0 ? chunk.length : end
    if (stop > from) onContent(chunk.subarray(from, stop))
    return end
  }

  /** @returns the position where the octets after the end of data begin, or -1 */
  #findEnd(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length && this.#progress !== 'Text') {
      this.#progress = advance(this.#progress, chunk[at++] as number)
      if (this.#progress === 'End') return at
    }
    if (at === chunk.length) return -1
    const endAt = chunk.indexOf(endOfData, at, 'latin1')
    if (endAt >= 0) return endAt + endOfData.length
    const tail = Math.max(at, chunk.length - endOfData.length + 1)
    for (const octet of chunk.subarray(tail)) this.#progress = advance(this.#progress, octet)
    return -1
  }

  #emit(octets: Buffer, from: number, to: number, onContent: ContentHandler): void {
    if (from === to) return
    this.#contentOctets += to - from
    this.#checkLineLength(octets, from, to)
    onContent(octets.subarray(from, to))
  }

  /**
   * Finds a line that is too long. Searches backwards from the last position at which the line may end, then does the
   * same for the line after the line end that it found. That takes far fewer searches than there are lines.
   */
  #checkLineLength(octets: Buffer, from: number, to: number): void {
    if (this.#fault) return
    let begin = from - this.#lineOctets
    let searchedUpTo = from
    while (to - begin > this.#maxLineOctets) {
      const furthest = begin + this.#maxLineOctets - 1
      const end = furthest < searchedUpTo ? -1 : octets.lastIndexOf(LF, furthest)
      if (end < searchedUpTo) {
        this.#fault ??= 'LineTooLong'
        return
      }
      begin = end + 1
      searchedUpTo = begin
    }
    const end = octets.lastIndexOf(LF, to - 1)
    this.#lineOctets = to - (end < searchedUpTo ? begin : end + 1)
  }
}

/** @returns the position of the next special octet; the length of `text` if there is none */
function findSpecialOctet(specialOctets: RegExp, text: string, from: number): number {
  specialOctets.lastIndex = from
  return specialOctets.test(text) ? specialOctets.lastIndex - 1 : text.length
}

function advance(progress: EndOfDataProgress, octet: number): EndOfDataProgress {
  if (octet === CR) return progress === 'Dot' ? 'DotReturn' : 'Return'
  if (octet === LF) return progress === 'Return' ? 'LineEnd' : progress === 'DotReturn' ? 'End' : 'Text'
  return octet === DOT && progress === 'LineEnd' ? 'Dot' : 'Text'
}

/** Whether `octet` is not allowed, or reveals that the CR before it was bare. */
function isBareNewline(progress: EndOfDataProgress, octet: number): boolean {
  const isAfterCr = progress === 'Return' || progress === 'DotReturn'
  return octet === NUL || (octet === LF) !== isAfterCr
}

/**
 * Writes the normalised form of `octet`: at most three octets.
 * @param previousProgress the progress before this octet. The CR of `Return` is already written; the CR of `DotReturn`
 *   is not, because it may belong to the end of data
 * @returns the new length of the output
 */
function writeNormalised(
  normalised: Buffer,
  length: number,
  previousProgress: EndOfDataProgress,
  octet: number,
): number {
  let end = length
  if (octet === LF) {
    if (previousProgress !== 'Return') normalised[end++] = CR
    normalised[end++] = LF
    return end
  }
  if (previousProgress === 'DotReturn') normalised[end++] = CR
  if (previousProgress === 'Return' || previousProgress === 'DotReturn') normalised[end++] = LF
  const isKept =
    octet === CR ? previousProgress !== 'Dot' : octet === DOT ? previousProgress !== 'LineEnd' : octet !== NUL
  if (isKept) normalised[end++] = octet
  return end
}
