/** The content of a message that has arrived whole, before it is stored. */
import type { MessageOctets } from '../../../shared/authentication/message-pieces.ts'
import type { SpooledContent } from './spooled-content.ts'

export interface ReceivedContent {
  /** Number of `Received` fields that the client sent. */
  hops: number
  /** Whether the header section is not as the client sent it. */
  isHeaderNormalised: boolean
  /** Returns the header section that the client sent. @throws SpoolError */
  readHeader(): Promise<Buffer>
  /** What the client sent. Iteration throws SpoolError. */
  octets: MessageOctets
  /** Aborted when the client gives the message up. */
  signal: AbortSignal
}

/** Octets of each piece of a spooled content. */
const pieceOctets = 64 * 1024

/** @param ownOctets octets of the fields that this hop has put before the content */
export async function* spooledOctets(content: SpooledContent, ownOctets: number): AsyncIterable<Buffer> {
  for (let from = ownOctets; from < content.length; from += pieceOctets)
    yield await readSpooled(content, from, Math.min(pieceOctets, content.length - from))
}

/** @throws SpoolError */
export async function readSpooled(content: SpooledContent, from: number, octets: number): Promise<Buffer> {
  const into = Buffer.allocUnsafe(octets)
  await content.read(into, from)
  return into
}
