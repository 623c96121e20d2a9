/**
 * The octets of a message's content on the wire, by DATA or by BDAT. The attack: a server that ends lines at a bare CR
 * or LF finds a second message in the content (CVE-2023-51764). The defence: every line ends in CRLF, and DATA gets a
 * dot before each line that begins with one (RFC 5321 §4.5.2). Pure.
 */

export interface WireContent {
  /** Every line ends in CRLF, also the last one. */
  octets: Buffer
  /** The positions of dots that begin a line. */
  dots: readonly number[]
}

const carriageReturn = 13
const lineFeed = 10
const dot = 46

/** Copies the content only when a line does not end in CRLF. */
export function toWireContent(content: Buffer): WireContent {
  const dots = findLineDots(content)
  if (dots !== null) return { octets: content, dots }
  const lines = content.toString('latin1').split(/\r\n|\r|\n/)
  if (lines.at(-1) === '') lines.pop()
  const octets = Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1')
  return { octets, dots: findLineDots(octets) ?? [] }
}

/** @returns null when a line does not end in CRLF */
function findLineDots(content: Buffer): number[] | null {
  const dots: number[] = []
  let previous = lineFeed
  for (let at = 0; at < content.length; at++) {
    const octet = content[at] as number
    if (octet === dot && previous === lineFeed) dots.push(at)
    else if ((octet === lineFeed) !== (previous === carriageReturn)) return null
    previous = octet
  }
  return previous === lineFeed && content.length > 0 ? dots : null
}

/** In octets. */
export interface ContentLimits {
  /** The content that the client writes at once, so that it notices when the server takes no more. */
  piece: number
  /** The longest chunk (RFC 3030). A server may hold a whole chunk in memory. */
  chunk: number
  /** Longer content is sent after the replies to RCPT: a refusal then costs no transfer of it. */
  flight: number
}

export const defaultContentLimits: ContentLimits = { piece: 65_536, chunk: 1024 * 1024, flight: 65_536 }

export interface Piece {
  octets: Buffer
  /** Whether the server replies to the piece, or to the chunk that the piece begins. */
  hasReply: boolean
  isLast: boolean
}

/** The content for DATA, with the line that ends it. */
export function* dataPieces(
  { octets, dots }: WireContent,
  { piece }: ContentLimits = defaultContentLimits,
): Generator<Piece> {
  let from = 0
  let nextDot = 0
  while (from < octets.length) {
    const end = Math.min(from + piece, octets.length)
    const parts: Buffer[] = []
    for (; nextDot < dots.length && (dots[nextDot] as number) < end; nextDot++) {
      const at = dots[nextDot] as number
      parts.push(octets.subarray(from, at), oneDot)
      from = at
    }
    parts.push(octets.subarray(from, end))
    from = end
    const isLast = end === octets.length
    if (isLast) parts.push(endOfData)
    yield {
      octets: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts),
      hasReply: isLast,
      isLast,
    }
  }
}

const oneDot = Buffer.from('.')
const endOfData = Buffer.from('.\r\n')

/** The content in chunks (RFC 3030 §2). @param firstCommands written before the first chunk, in the same piece */
export function* chunkPieces(
  { octets }: WireContent,
  firstCommands = '',
  { piece, chunk }: ContentLimits = defaultContentLimits,
): Generator<Piece> {
  let commands = firstCommands
  for (let chunkAt = 0; chunkAt < octets.length; chunkAt += chunk) {
    const chunkEnd = Math.min(chunkAt + chunk, octets.length)
    const last = chunkEnd === octets.length ? ' LAST' : ''
    commands += `BDAT ${chunkEnd - chunkAt}${last}\r\n`
    for (let from = chunkAt; from < chunkEnd; from += piece) {
      const part = octets.subarray(from, Math.min(from + piece, chunkEnd))
      const isLast = from + part.length === octets.length
      yield commands === ''
        ? { octets: part, hasReply: false, isLast }
        : { octets: Buffer.concat([Buffer.from(commands), part]), hasReply: true, isLast }
      commands = ''
    }
  }
}
