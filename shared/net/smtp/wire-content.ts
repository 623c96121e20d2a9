/**
 * The octets of a message's content on the wire, by DATA or by BDAT. The attack: a server that ends lines at a bare CR
 * or LF finds a second message in the content (CVE-2023-51764). The defence: every line ends in CRLF, and DATA gets a
 * dot before each line that begins with one (RFC 5321 §4.5.2). The sender of a message chooses its lines, so memory
 * does not grow with their number. Pure.
 */

const carriageReturn = 13
const lineFeed = 10
const dot = 46

/** Returns the content with CRLF at the end of each line. Copies it only when a line does not end in CRLF. */
export function toWireContent(content: Buffer): Buffer {
  if (content.at(-1) === lineFeed && !hasBareNewline(content)) return content
  // A bare CR or LF becomes CRLF, and the last line gets a CRLF.
  const octets = Buffer.allocUnsafe(2 * content.length + 2)
  let at = 0
  let previous = 0
  for (let from = 0; from < content.length; from++) {
    const octet = content[from] as number
    if (octet === lineFeed && previous !== carriageReturn) octets[at++] = carriageReturn
    else if (octet !== lineFeed && previous === carriageReturn) octets[at++] = lineFeed
    octets[at++] = octet
    previous = octet
  }
  if (previous !== carriageReturn && previous !== lineFeed) octets[at++] = carriageReturn
  if (previous !== lineFeed) octets[at++] = lineFeed
  return octets.subarray(0, at)
}

/** Octets that are searched at once: native searches in short strings are faster than a loop. */
const searchLength = 65_536
const bareNewline = /\r(?!\n)|(?<!\r)\n/

function hasBareNewline(content: Buffer): boolean {
  for (let from = 0; from < content.length; ) {
    const limit = Math.min(from + searchLength, content.length)
    // CR and LF are searched together.
    const end = content[limit - 1] === carriageReturn ? limit + 1 : limit
    if (bareNewline.test(content.toString('latin1', from, end))) return true
    from = end
  }
  return false
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
  /** Whether a chunk ends with the piece. */
  endsChunk: boolean
  isLast: boolean
}

/** The content for DATA, with the line that ends it. */
export function* dataPieces(
  content: Buffer,
  { piece }: ContentLimits = defaultContentLimits,
): Generator<Piece> {
  for (let from = 0; from < content.length; from += piece) {
    const isLast = from + piece >= content.length
    const octets = stuffDots(content.subarray(from, from + piece), content[from - 1] ?? lineFeed)
    yield {
      octets: isLast ? Buffer.concat([octets, endOfData]) : octets,
      hasReply: isLast,
      endsChunk: false,
      isLast,
    }
  }
}

const endOfData = Buffer.from('.\r\n')

/** Copies the piece only when a line begins with a dot. @param before the octet before the piece */
function stuffDots(piece: Buffer, before: number): Buffer {
  const beginsWithDot = before === lineFeed && piece[0] === dot
  if (!beginsWithDot && !piece.includes('\n.')) return piece
  const octets = Buffer.allocUnsafe(2 * piece.length)
  let at = 0
  let previous = before
  for (let from = 0; from < piece.length; from++) {
    const octet = piece[from] as number
    if (octet === dot && previous === lineFeed) octets[at++] = dot
    octets[at++] = octet
    previous = octet
  }
  return octets.subarray(0, at)
}

/** The content in chunks (RFC 3030 §2). @param firstCommands written before the first chunk, in the same piece */
export function* chunkPieces(
  content: Buffer,
  firstCommands = '',
  { piece, chunk }: ContentLimits = defaultContentLimits,
): Generator<Piece> {
  let commands = firstCommands
  for (let chunkAt = 0; chunkAt < content.length; chunkAt += chunk) {
    const chunkEnd = Math.min(chunkAt + chunk, content.length)
    const last = chunkEnd === content.length ? ' LAST' : ''
    commands += `BDAT ${chunkEnd - chunkAt}${last}\r\n`
    for (let from = chunkAt; from < chunkEnd; from += piece) {
      const part = content.subarray(from, Math.min(from + piece, chunkEnd))
      const end = from + part.length
      const ends = { endsChunk: end === chunkEnd, isLast: end === content.length }
      yield commands === ''
        ? { octets: part, hasReply: false, ...ends }
        : { octets: Buffer.concat([Buffer.from(commands), part]), hasReply: true, ...ends }
      commands = ''
    }
  }
}
