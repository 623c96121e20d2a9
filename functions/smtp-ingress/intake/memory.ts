/** How the memory that a task has for mail is shared out, so that no message has to ask for any. */
import { totalmem } from 'node:os'
import { partSize } from '../../../shared/content/multipart.ts'
import { mailMemory } from '../../../shared/contract/ingress-memory.ts'

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

/**
 * Octets that a message may hold in memory at most: of a thousand sessions that is a quarter of a task of 1 GiB. What is
 * smaller shares the cost of a segment; what is larger costs a file and an object of its own, a millisecond or so.
 */
const mostHeld = 256 * kibibyte
/** A message in the spool holds two blocks in any case. */
const leastHeld = 64 * kibibyte

/** A part of a large message on its way, and what TLS makes of it. */
const uploadOctets = 2 * partSize
/** Large messages that are sent at once: more would only share the line. */
const mostUploads = 8

export interface MessageMemory {
  /** Octets of a message beyond which it goes to the spool. */
  held: number
  /** Large messages that are taken from the spool to the store at once. */
  uploads: number
}

/**
 * Half for what messages hold, of all sessions alike; a quarter for large ones on their way. The
 * last quarter is for the copies in segments, and what the collector has not found yet.
 * @param taskMebibytes the whole task's memory; without it, what the system gives this process
 * @param sessions the most there may be
 * @throws Error when that many sessions leave too little for messages
 */
export function messageMemory(taskMebibytes: number | undefined, sessions: number): MessageMemory {
  const memoryMebibytes = taskMebibytes ?? memoryOfProcess() / mebibyte
  const octets = mailMemory({ memoryMebibytes, sessions })
  const each = Math.floor(octets / 2 / sessions)
  return {
    held: Math.min(mostHeld, Math.max(leastHeld, each)),
    uploads: Math.min(mostUploads, Math.max(1, Math.floor(octets / 4 / uploadOctets))),
  }
}

function memoryOfProcess(): number {
  // 0 or a number beyond all memory mean that nothing limits the process.
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem())
}
