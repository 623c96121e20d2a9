/**
 * What a task of the ingress has of memory for mail. The deployment's settings are checked by it before there is a
 * task, and the task keeps to it.
 */

const mebibyte = 1024 * 1024

/** A process that takes mail with its code, before the first session, and what the collector lets new objects take. */
const workerOctets = 208 * mebibyte

/** The process that watches over the workers, where there are several. */
const supervisorOctets = 96 * mebibyte

/**
 * An open TLS session is 60 KiB. While a message comes, what OpenSSL and the socket have read and nobody has looked at,
 * and what the collector has not found yet, are twice as much again. What is held of the message is not counted here.
 */
const sessionOctets = 192 * 1024

/** A worker that has less for mail than this takes too few messages at once to be of use. */
const leastMailOctets = 80 * mebibyte

export interface IngressTaskSize {
  /** Of the whole task. */
  memoryMebibytes: number
  /** The most there may be, over all workers. */
  sessions: number
  workers: number
}

/**
 * One worker's share of what programs and sessions leave. All sessions are counted once, wherever they are.
 * @returns octets
 * @throws Error when they leave too little
 */
export function mailMemory({ memoryMebibytes, sessions, workers }: IngressTaskSize): number {
  const programs = workers * workerOctets + (workers > 1 ? supervisorOctets : 0)
  const share = Math.floor((memoryMebibytes * mebibyte - programs - sessions * sessionOctets) / workers)
  if (share >= leastMailOctets) return share
  const processes = workers > 1 ? ` in ${workers} processes` : ''
  throw new Error(
    `${Math.floor(memoryMebibytes)} MiB of memory are not enough for ${sessions} sessions${processes}`,
  )
}
