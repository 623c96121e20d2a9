/** Divides the task's memory for mail into fixed shares, so that no message has to reserve memory. */
import { totalmem } from 'node:os'
import { partOctets } from '../../../shared/content/large-content.ts'
import { mailMemoryOctets } from '../../../shared/contract/ingress-memory.ts'

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

/**
 * Maximum of octets of one message in memory; with 1000 sessions, a quarter of a 1 GiB task. Messages up to this size
 * share the cost of a segment. A larger message needs its own file and object, which cost about a millisecond.
 */
const maxHeldOctets = 256 * kibibyte
/** Lower limit of that maximum in a small task: a spooled message needs two blocks of 32 KiB anyway. */
const minHeldOctets = 64 * kibibyte

/** Memory of one upload: the part of a large message that is in flight, and its copy in TLS. */
const uploadOctets = 2 * partOctets
/** More concurrent uploads would only share the bandwidth. */
const maxUploads = 8

export interface MessageMemory {
  /** Octets of a message beyond which it goes to the spool. */
  memoryOctets: number
  /** Concurrent uploads of large messages from the spool. */
  maxUploads: number
}

/**
 * Half of the memory for mail is for the messages of all sessions, a quarter for uploads of large messages. The last
 * quarter is for copies in segments and uncollected garbage.
 * @param taskMebibytes memory of the whole task; default: the memory that the system gives this process
 * @param sessions the maximum number of sessions
 * @throws Error when so many sessions leave too little for messages
 */
export function messageMemory(taskMebibytes: number | undefined, sessions: number): MessageMemory {
  const memoryMebibytes = taskMebibytes ?? processMemoryOctets() / mebibyte
  const octets = mailMemoryOctets({ memoryMebibytes, maxSessions: sessions })
  const octetsPerSession = Math.floor(octets / 2 / sessions)
  return {
    memoryOctets: Math.min(maxHeldOctets, Math.max(minHeldOctets, octetsPerSession)),
    maxUploads: Math.min(maxUploads, Math.max(1, Math.floor(octets / 4 / uploadOctets))),
  }
}

function processMemoryOctets(): number {
  // 0 or an implausibly large number means no limit.
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem())
}
