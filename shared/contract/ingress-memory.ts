/**
 * What a task of the ingress has of memory for mail. The deployment's settings are checked by it before there is a
 * task, and the task keeps to it.
 */

const mebibyte = 1024 * 1024

/** The process with its code, before the first session, and what the collector lets new objects take. */
const programOctets = 208 * mebibyte

/**
 * An open TLS session is 60 KiB. While a message comes, what OpenSSL and the socket have read and nobody has looked at,
 * and what the collector has not found yet, are twice as much again. What is held of the message is not counted here.
 */
const sessionOctets = 192 * 1024

/** A task that has less for mail than this takes too few messages at once to be of use. */
const leastMailOctets = 80 * mebibyte

export interface IngressTaskSize {
  memoryMebibytes: number
  /** The most there may be. */
  sessions: number
}

/**
 * What the program and all sessions leave.
 * @returns octets
 * @throws Error when they leave too little
 */
export function mailMemory({ memoryMebibytes, sessions }: IngressTaskSize): number {
  const octets = Math.floor(memoryMebibytes * mebibyte - programOctets - sessions * sessionOctets)
  if (octets >= leastMailOctets) return octets
  throw new Error(`${Math.floor(memoryMebibytes)} MiB of memory are not enough for ${sessions} sessions`)
}
