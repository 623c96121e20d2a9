/**
 * Reads the field Message-ID of a header section that arrives in pieces. The first such field counts; RFC 5322 §3.6
 * allows only one. The value is text to search for, so its syntax is not checked.
 */
import { mapInvisible } from '../../../shared/contract/visible-text.ts'

/** RFC 5322 §2.1.1: the longest line. */
const maxOctets = 998
/** Octets of the field with its line ends and white space. */
const maxFieldOctets = 2 * maxOctets

/** RFC 5322 §4.5 permits spaces before the colon. */
const fieldStart = /\r\nmessage-id[ \t]*:/i
/** The begin of the field at the end of a piece. */
const fieldStartWithoutColon = /\r\nmessage-id[ \t]+$/i
/** Octets of the begin of the field that may lie at the end of the previous piece. */
const overlapOctets = '\r\nmessage-id'.length

const visibleAscii = /^[ -~]*$/

export class MessageIdReader {
  /** Before the field: the last octets. Then: the field's octets after the colon. Starts as a line end. */
  #octets = '\r\n'
  #state: 'BeforeField' | 'InField' | 'AfterField' | 'TooLong' = 'BeforeField'

  /** @param octets the next octets of the header section, as Latin-1 */
  read(octets: string): void {
    if (this.#state === 'BeforeField') this.#findField(this.#octets + octets)
    else if (this.#state === 'InField') this.#readField(octets)
  }

  /** The value without folding, comments included; undefined if it is absent, empty or longer than 998 octets. */
  get messageId(): string | undefined {
    if (this.#state === 'BeforeField' || this.#state === 'TooLong') return undefined
    const unfolded = this.#octets.replaceAll('\r\n', '').replaceAll('\t', ' ')
    const text = (visibleAscii.test(unfolded) ? unfolded : visibleUtf8(unfolded)).trim()
    return text === '' || Buffer.byteLength(text) > maxOctets ? undefined : text
  }

  #findField(octets: string): void {
    const match = fieldStart.exec(octets)
    if (match === null) {
      this.#octets = fieldStartWithoutColon.test(octets) ? '\r\nmessage-id ' : octets.slice(-overlapOctets)
      return
    }
    this.#state = 'InField'
    this.#octets = ''
    this.#readField(octets.slice(match.index + match[0].length))
  }

  /** The field ends at a line end without white space after it (RFC 5322 §2.2.3). */
  #readField(octets: string): void {
    const fieldEnd = /\r\n[^ \t]/g
    fieldEnd.lastIndex = Math.max(0, this.#octets.length - 2)
    this.#octets += octets
    const end = fieldEnd.exec(this.#octets)?.index
    if (end !== undefined) {
      this.#state = 'AfterField'
      this.#octets = this.#octets.slice(0, end)
    }
    if (this.#octets.length <= maxFieldOctets) return
    this.#state = 'TooLong'
    this.#octets = ''
  }
}

const visibleUtf8 = (octets: string): string =>
  mapInvisible(Buffer.from(octets, 'latin1').toString('utf8'), () => '')
