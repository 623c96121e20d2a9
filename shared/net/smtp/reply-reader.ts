/**
 * Reads the replies of an SMTP server from octets (RFC 5321 §4.2). The attack: a server that sends replies without end
 * takes memory and time from other deliveries. The defence: limits of lines and octets. The caller limits the time.
 */

export interface ServerReply {
  /** 200–599. 0 when a line is not a reply line, or when two lines have different codes. */
  readonly code: number
  /** All lines, separated by LF. */
  readonly text: string
}

/**
 * Limits of the data received until the first message, and again for each message. 4096 lines are about forty for each
 * of a hundred recipients.
 */
const receiveLimits = { octets: 1024 * 1024, lines: 4096 }

/** In octets. RFC 5321 §4.5.3.1.5 permits 512; real servers send longer lines. */
const maxLineLength = 8192
const maxReplyLength = 65_536

const replyLine = /^([2-5]\d\d)(?:([ -])|$)/

export class ReplyReader {
  /** Octets of a line whose end has not arrived, as Latin-1. */
  #partialLine = ''
  /** The lines of a reply whose last line has not arrived, as Latin-1. */
  #text = ''
  /** The code of these lines; 0 before the first line. */
  #code = 0
  readonly #received = { octets: 0, lines: 0 }

  /** The part of a reply that has arrived, without white space around it; empty if there is none. */
  get partialReply(): string {
    return decodeUtf8([this.#text, this.#partialLine].join('\n').trim())
  }

  /** Octets received since `restartLimits`. */
  get receivedOctets(): number {
    return this.#received.octets
  }

  restartLimits(): void {
    this.#received.octets = this.#received.lines = 0
  }

  /** Forgets partial replies. */
  clear(): void {
    this.#partialLine = this.#text = ''
    this.#code = 0
  }

  /** @returns the replies that are complete now; null when the server exceeds a limit, and then no more can be read */
  read(octets: Buffer): ServerReply[] | null {
    this.#received.octets += octets.length
    const text = this.#partialLine + octets.toString('latin1')
    const replies: ServerReply[] = []
    let from = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      this.#received.lines++
      const reply = this.#addLine(text.slice(from, end).trimEnd())
      from = end + 1
      if (reply) replies.push(reply)
      if (this.#isLimitExceeded()) return null
    }
    this.#partialLine = text.slice(from)
    return this.#isLimitExceeded() ? null : replies
  }

  #isLimitExceeded(): boolean {
    const { octets, lines } = this.#received
    return (
      octets > receiveLimits.octets ||
      lines > receiveLimits.lines ||
      this.#partialLine.length > maxLineLength ||
      this.#text.length > maxReplyLength
    )
  }

  /** Ignores an empty line. @returns the reply that the line completes, or null */
  #addLine(line: string): ServerReply | null {
    if (line === '') return null
    const [, digits, separator] = replyLine.exec(line) ?? []
    const code = Number(digits ?? 0)
    const isConsistent = this.#text === '' || code === this.#code
    this.#text = this.#text === '' ? line : `${this.#text}\n${line}`
    this.#code = code
    if (code !== 0 && isConsistent && separator === '-') return null
    const reply = { code: isConsistent ? code : 0, text: decodeUtf8(this.#text) }
    this.#text = ''
    return reply
  }
}

/** RFC 6531 §3.7.4.2: a reply may contain UTF-8. */
function decodeUtf8(latin1: string): string {
  return /[\x80-\xff]/.test(latin1) ? Buffer.from(latin1, 'latin1').toString() : latin1
}

export const isPositiveReply = ({ code }: ServerReply): boolean => code >= 200 && code < 300
