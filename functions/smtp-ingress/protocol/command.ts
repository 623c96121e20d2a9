/** One line of a client, read as a command of RFC 5321 §4.1.1 and its extensions. */
import type { Envelope, Recipient } from '../../../shared/contract/message.ts'
import type { Refused } from '../replies.ts'

/** RFC 5321 §4.1.1.2; what RFC 1870, 3461, 6152, 6531 and 8689 add is in the envelope. */
export interface MailCommand {
  verb: 'MAIL'
  /** With the domain in A-labels (RFC 6531 §3.2). */
  envelope: Envelope
  /** Octets the client announces (RFC 1870), or 0. */
  size: number
}

/** RFC 5321 §4.1.1.3 */
export interface RecipientCommand {
  verb: 'RCPT'
  /** `postmaster` may stand without a domain (RFC 5321 §4.5.1). */
  recipient: Pick<Recipient, 'address' | 'notify' | 'orcpt'>
  /** The local part is not ASCII, so the transaction must be one with SMTPUTF8 (RFC 6531 §3.5). */
  needsSmtpUtf8: boolean
}

export type Command =
  | { verb: 'EHLO' | 'HELO'; name: string }
  | MailCommand
  | RecipientCommand
  | { verb: 'DATA' | 'RSET' | 'STARTTLS' | 'QUIT' | 'NOOP' | 'VRFY' | 'HELP' }
  /** Not SMTP at all: a request of HTTP, or the first octets of a TLS handshake. */
  | { verb: 'HTTP' | 'TLS' }

/**
 * @param line without its CRLF
 * @returns the command, or how it is refused
 */
export function parseCommand(_line: Buffer): Command | Refused {
  throw new Error('not written yet')
}
