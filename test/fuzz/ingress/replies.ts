/** What is true of every reply, whatever it answers. */
import { Objection } from './model.ts'

/** Octets of a reply line with its CRLF (RFC 5321 §4.5.3.1.5). */
const longestLine = 512

/** Replies that have no enhanced status code: greeting, those to EHLO and HELO, and 354 (RFC 2034 §4). */
const withoutCode = /^(?:220 [^ ]+ ESMTP|250[- ][^ ]+(?: \d+)?|354 .*)$/

/** Cuts what a server wrote into replies, each with its lines joined by CRLF. @throws Objection */
export class ReplyReader {
  readonly replies: string[] = []
  #rest = ''
  #lines: string[] = []

  read(text: string): void {
    this.#rest += text
    for (;;) {
      const end = this.#rest.indexOf('\n')
      if (end < 0) return
      this.#line(this.#rest.slice(0, end + 1))
      this.#rest = this.#rest.slice(end + 1)
    }
  }

  /** Whether everything read so far was whole replies. */
  get isWhole(): boolean {
    return this.#rest === '' && this.#lines.length === 0
  }

  #line(line: string): void {
    if (!/^[2345]\d\d[ -][ -~]*\r\n$/.test(line) || line.length > longestLine)
      throw new Objection(`no line of a reply: ${JSON.stringify(line)}`)
    const text = line.slice(0, -2)
    const [, code, enhanced] = /^(\d)\d\d[ -](?:([245])\.\d{1,3}\.\d{1,3} .)?/.exec(text) ?? []
    if (enhanced === undefined ? !withoutCode.test(text) : enhanced !== code)
      throw new Objection(`reply without its enhanced code: ${text}`)
    if (this.#lines.some((other) => other.slice(0, 3) !== text.slice(0, 3)))
      throw new Objection(`one reply with two codes: ${text}`)
    this.#lines.push(text)
    if (text[3] === '-') return
    this.replies.push(this.#lines.join('\r\n'))
    this.#lines = []
  }
}
