/** Converts a fault of an attempt to the reply that the trace shows. Pure. */
import type { Attempt, Reply } from '../contract/message.ts'
import { isPermanent, parseReply, reply } from '../mail/reply.ts'

export type SmtpFault =
  /** The connection failed or ended. `cause`: the error code of the system or of OpenSSL. */
  | { kind: 'Ended'; cause: string }
  /** The server's reply to a command. */
  | { kind: 'Refused'; response: string }
  /** The server sent a reply without a command, or a positive reply that the command does not permit. */
  | { kind: 'UnexpectedReply'; response: string }

/** The outcome of an attempt in which the next hop is not known to have accepted the message. */
export type FailedOutcome = Exclude<Attempt['outcome'], 'Delivered'>

const unreachableCodes = new Set([
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EACCES',
  'EPERM',
  'EHOSTDOWN',
])

/**
 * Returns the server's 4yz or 5yz reply, 4.5.0 for any other response, and without a response 4.4.315–4.4.318 by the
 * kind of connection failure. A 5yz reply out of turn refuses no message, so its code is not used.
 */
export function replyForFault(fault: SmtpFault): Reply {
  if (fault.kind === 'Ended') return replyForCause(fault.cause)
  const serverReply = parseReply(fault.response)
  const maxCode = fault.kind === 'Refused' ? 599 : 499
  return serverReply && serverReply.code >= 400 && serverReply.code <= maxCode
    ? serverReply
    : reply(451, '4.5.0', `Next hop did not speak SMTP: ${fault.response.slice(0, 100)}`)
}

function replyForCause(cause: string): Reply {
  if (cause === 'ETIMEDOUT') return timedOutReply
  if (cause === 'ECONNREFUSED') return reply(451, '4.4.316', 'Connection refused')
  if (unreachableCodes.has(cause)) return reply(451, '4.4.317', `Next hop is unreachable: ${cause}`)
  return reply(451, '4.4.318', `Connection closed by the next hop: ${cause}`)
}

export const timedOutReply: Reply = reply(451, '4.4.315', 'Connection timed out')

/** Returns the code of an error, else its message. */
export function causeOf({ code, message }: NodeJS.ErrnoException): string {
  return code ?? message
}

export function outcomeOf(serverReply: Reply): FailedOutcome {
  return isPermanent(serverReply) ? 'PermanentFailure' : 'TemporaryFailure'
}
