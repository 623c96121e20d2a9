/** Rules for every reply. */
import { ModelMismatch } from './model.ts'

/** Octets of a reply line with its CRLF (RFC 5321 §4.5.3.1.5). */
const maxLineOctets = 512

/** Replies without an enhanced status code: greeting, EHLO and HELO, and 354 (RFC 2034 §4). */
const withoutStatusCode = /^(?:220 [^ ]+ ESMTP|250[- ][^ ]+(?: \d+)?|354 .*)$/

/** Splits the server's octets into replies; joins lines of one reply with CRLF. @throws ModelMismatch */
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

  /** Whether all octets read so far are whole replies. */
  get isWhole(): boolean {
    return this.#rest === '' && this.#lines.length === 0
  }

  #line(line: string): void {
    if (!/^[2345]\d\d[ -][ -~]*\r\n$/.test(line) || line.length > maxLineOctets)
      throw new ModelMismatch(`not a reply line: ${JSON.stringify(line)}`)
    const text = line.slice(0, -2)
    const [, code, enhanced] = /^(\d)\d\d[ -](?:([245])\.\d{1,3}\.\d{1,3} .)?/.exec(text) ?? []
    if (enhanced === undefined ? !withoutStatusCode.test(text) : enhanced !== code)
      throw new ModelMismatch(`reply without a matching enhanced status code: ${text}`)
    if (this.#lines.some((line) => line.slice(0, 3) !== text.slice(0, 3)))
      throw new ModelMismatch(`one reply with two codes: ${text}`)
    this.#lines.push(text)
    if (text[3] === '-') return
    this.replies.push(this.#lines.join('\r\n'))
    this.#lines = []
  }
}
