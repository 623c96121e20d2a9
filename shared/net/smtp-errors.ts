/** Converts an error of an attempt to the reply that the trace shows. Pure. */
import type { Attempt, Reply } from '../contract/message.ts'
import { isPermanent, parseReply, reply } from '../mail/reply.ts'

/** An error of the network or of nodemailer; `response` is the server's reply that caused it, if any. */
export interface SmtpError extends Error {
  code?: string
  /** The code of the system or of OpenSSL, when `code` is nodemailer's own. */
  originalCode?: string
  response?: string
  command?: string
}

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
 * kind of connection failure.
 */
export function replyForError(error: SmtpError): Reply {
  if (error.response) {
    const serverReply = parseReply(error.response)
    return serverReply && serverReply.code >= 400
      ? serverReply
      : reply(451, '4.5.0', `Next hop did not speak SMTP: ${error.response.slice(0, 100)}`)
  }
  const code = causeOf(error)
  if (code === 'ETIMEDOUT') return timedOutReply
  if (code === 'ECONNREFUSED') return reply(451, '4.4.316', 'Connection refused')
  if (unreachableCodes.has(code)) return reply(451, '4.4.317', `Next hop is unreachable: ${code}`)
  return reply(451, '4.4.318', `Connection closed by the next hop: ${code}`)
}

export const timedOutReply: Reply = reply(451, '4.4.315', 'Connection timed out')

/** Returns the most specific code of an error, else its message. */
export function causeOf({ originalCode, code, message }: SmtpError): string {
  return originalCode ?? code ?? message
}

export function outcomeOf(serverReply: Reply): FailedOutcome {
  return isPermanent(serverReply) ? 'PermanentFailure' : 'TemporaryFailure'
}
