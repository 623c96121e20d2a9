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

/** Copies the content only when a line does not end in CRLF. */
export function toWireContent(content: Buffer): WireContent {
  const dots = findLineDots(content)
  if (dots !== null) return { octets: content, dots }
  const lines = content.toString('latin1').split(/\r\n|\r|\n/)
  if (lines.at(-1) === '') lines.pop()
  const octets = Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1')
  return { octets, dots: findLineDots(octets) ?? [] }
}

/** Octets that are searched at once: native searches in short strings are faster than a loop. */
const searchLength = 65_536
const bareNewline = /\r(?!\n)|(?<!\r)\n/

/** @returns null when a line does not end in CRLF */
function findLineDots(content: Buffer): number[] | null {
  const dots: number[] = []
  for (let from = 0; from < content.length; ) {
    const limit = Math.min(from + searchLength, content.length)
    // CR and LF are searched together.
    const end = content[limit - 1] === carriageReturn ? limit + 1 : limit
    const text = content.toString('latin1', from, end)
    if (bareNewline.test(text)) return null
    if (text.startsWith('.') && (from === 0 || content[from - 1] === lineFeed)) dots.push(from)
    for (let at = text.indexOf('\n.'); at >= 0; at = text.indexOf('\n.', at + 1)) dots.push(from + at + 1)
    from = end
  }
  return content.at(-1) === lineFeed ? dots : null
}

/** The octets that the client writes at once, so that it notices when the server takes no more. */
const pieceLength = 65_536
/** Octets of a chunk (RFC 3030). A server may hold a whole chunk in memory. */
const maxChunkLength = 1024 * 1024

export interface Piece {
  octets: Buffer
  /** Whether the server replies to the piece, or to the chunk that the piece begins. */
  hasReply: boolean
  isLast: boolean
}

/** The content for DATA, with the line that ends it. */
export function* dataPieces({ octets, dots }: WireContent): Generator<Piece> {
  let from = 0
  let nextDot = 0
  while (from < octets.length) {
    const end = Math.min(from + pieceLength, octets.length)
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
export function* chunkPieces({ octets }: WireContent, firstCommands = ''): Generator<Piece> {
  let commands = firstCommands
  for (let chunkAt = 0; chunkAt < octets.length; chunkAt += maxChunkLength) {
    const chunkEnd = Math.min(chunkAt + maxChunkLength, octets.length)
    const last = chunkEnd === octets.length ? ' LAST' : ''
    commands += `BDAT ${chunkEnd - chunkAt}${last}\r\n`
    for (let from = chunkAt; from < chunkEnd; from += pieceLength) {
      const part = octets.subarray(from, Math.min(from + pieceLength, chunkEnd))
      const isLast = from + part.length === octets.length
      yield commands === ''
        ? { octets: part, hasReply: false, isLast }
        : { octets: Buffer.concat([Buffer.from(commands), part]), hasReply: true, isLast }
      commands = ''
    }
  }
}
