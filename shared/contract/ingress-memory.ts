/** Computes the memory of an ingress task that is left for mail. The deployment checks its settings by it. */

const mebibyte = 1024 * 1024

/** The process and its code before the first session, and uncollected garbage. */
const programOctets = 208 * mebibyte

/**
 * An open TLS session takes 60 KiB. While a message arrives, unread data in OpenSSL and in the socket, and garbage,
 * take twice as much again. The message itself is not counted here.
 */
const sessionOctets = 192 * 1024

/** Below this a task could take too few messages at once. */
const minMailOctets = 80 * mebibyte

export interface IngressTaskSize {
  memoryMebibytes: number
  /** Maximum. */
  maxSessions: number
}

/**
 * Returns the octets that the program and all sessions leave.
 * @throws Error when they leave less than a task needs for mail
 */
export function mailMemoryOctets({ memoryMebibytes, maxSessions }: IngressTaskSize): number {
  const octets = Math.floor(memoryMebibytes * mebibyte - programOctets - maxSessions * sessionOctets)
  if (octets >= minMailOctets) return octets
  throw new Error(`${Math.floor(memoryMebibytes)} MiB of memory are not enough for ${maxSessions} sessions`)
}
