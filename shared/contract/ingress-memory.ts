/**
 * Computes the memory of an ingress task that is available for mail. The deployment checks its settings with this
 * computation.
 */

const mebibyte = 1024 * 1024

/** The process and its code before the first session, and uncollected garbage. */
const programOctets = 208 * mebibyte

/**
 * An open TLS session takes 60 KiB. While a message arrives, unread data in OpenSSL and in the socket, and garbage,
 * take 120 KiB more. The sum is rounded up. The message itself is not included.
 */
const sessionOctets = 192 * 1024

/** With less memory for mail, a task could receive too few messages at the same time. */
const minMailOctets = 80 * mebibyte

export interface IngressTaskSize {
  memoryMebibytes: number
  maxSessions: number
}

/**
 * Returns the octets that remain for mail beside the program and all sessions.
 * @throws Error when these octets are fewer than a task needs
 */
export function mailMemoryOctets({ memoryMebibytes, maxSessions }: IngressTaskSize): number {
  const octets = Math.floor(memoryMebibytes * mebibyte - programOctets - maxSessions * sessionOctets)
  if (octets >= minMailOctets) return octets
  throw new Error(`${Math.floor(memoryMebibytes)} MiB of memory are not enough for ${maxSessions} sessions`)
}
