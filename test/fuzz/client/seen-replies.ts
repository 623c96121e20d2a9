/** Reads the replies that the client has received, independently of the client. */

export interface SeenReply {
  /** 0 when a line is not a reply line, or when lines have different codes. */
  code: number
  lines: string[]
}

export const isPositive = ({ code }: SeenReply): boolean => code >= 200 && code < 300

/** Returns the code that the client reports for a reply that refuses. */
export function refusalCode({ lines }: SeenReply): number {
  const code = Number(/^([45]\d\d)(?:[ -]|$)/.exec(lines[0] ?? '')?.[1] ?? 451)
  return code
}

export class SeenReplies {
  #line = ''
  #lines: string[] = []

  /** The octets of an incomplete reply, without white space. */
  get partial(): string {
    return [...this.#lines, this.#line].join('\n').trim()
  }

  clear(): void {
    this.#line = ''
    this.#lines = []
  }

  /** Reads one octet. @returns the reply that it completes, or null */
  read(octet: string): SeenReply | null {
    if (octet !== '\n') {
      this.#line += octet
      return null
    }
    const line = this.#line.trimEnd()
    this.#line = ''
    return line === '' ? null : this.#readLine(line)
  }

  #readLine(line: string): SeenReply | null {
    this.#lines.push(line)
    const codes = this.#lines.map((each) => (/^[2-5]\d\d([ -]|$)/.test(each) ? Number(each.slice(0, 3)) : 0))
    const isConsistent = codes.every((code) => code !== 0 && code === codes[0])
    if (isConsistent && line[3] === '-') return null
    const lines = this.#lines
    this.#lines = []
    return { code: isConsistent ? (codes[0] ?? 0) : 0, lines }
  }
}
