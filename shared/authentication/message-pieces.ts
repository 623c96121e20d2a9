import { headerSection } from '../mail/header-section.ts'
import { maxPieceOctets } from './body-hash.ts'

/** Octets of a message, whole or in pieces of any length. */
export type MessageOctets = Buffer | AsyncIterable<Buffer>

export interface SplitMessage {
  /** The header section with the empty line; null if it is longer than the limit. */
  header: Buffer | null
  /** In pieces of at most `maxPieceOctets`; other work can run after each. */
  body: AsyncIterable<Buffer>
  /** Ends reading, also before the end of the body. */
  close(): Promise<void>
}

/** @throws only what reading the octets throws */
export async function splitMessage(octets: MessageOctets, maxHeaderOctets: number): Promise<SplitMessage> {
  const pieces = Buffer.isBuffer(octets) ? [octets].values() : octets[Symbol.asyncIterator]()
  let start: Buffer = Buffer.alloc(0)
  let isWhole = false
  while (!isWhole && !hasEmptyLine(start) && start.length <= maxHeaderOctets) {
    const { value, done } = await pieces.next()
    if (done) isWhole = true
    // A whole message is not copied.
    else start = start.length === 0 ? value : Buffer.concat([start, value])
  }
  const section = headerSection(start)
  const isComplete = (isWhole || hasEmptyLine(start)) && section.length <= maxHeaderOctets
  return {
    header: isComplete ? Buffer.concat([section, Buffer.from('\r\n')]) : null,
    body: slices(start.subarray(section.length + 2), pieces),
    close: async () => void (await pieces.return?.()),
  }
}

const hasEmptyLine = (start: Buffer): boolean => start.includes('\r\n\r\n') || start.indexOf('\r\n') === 0

async function* slices(
  first: Buffer,
  rest: AsyncIterator<Buffer> | Iterator<Buffer>,
): AsyncGenerator<Buffer> {
  let piece = first
  for (;;) {
    for (let at = 0; at < piece.length; at += maxPieceOctets) {
      yield piece.subarray(at, at + maxPieceOctets)
      await new Promise(setImmediate)
    }
    const { value, done } = await rest.next()
    if (done) return
    piece = value
  }
}
