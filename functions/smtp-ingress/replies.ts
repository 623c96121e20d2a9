/**
 * Replies of the ingress itself. Replies that connectors cause come from the policy. A comment says when a reply is sent:
 * docs/generated/replies.md shows it.
 */
import type { Reply } from '../../shared/contract/message.ts'
import { reply } from '../../shared/mail/reply.ts'

/** A reply that refuses, and the reason under which it is counted. */
export interface Refused {
  reason: string
  reply: Reply
}

export const refused = (reason: string, code: number, enhanced: string, text: string): Refused => ({
  reason,
  reply: statusReply(code, enhanced, text),
})

/** @throws Error when the classes of the two codes differ (RFC 3463 §2) */
export function statusReply(code: number, enhanced: string, text: string): Reply {
  if (!enhanced.startsWith(`${Math.floor(code / 100)}.`))
    throw new Error(`Reply ${code} cannot have the enhanced status code ${enhanced}`)
  return reply(code, enhanced.slice(2), text)
}

const tryLater = [451, '4.3.0', 'Requested action not taken: local error, try again later'] as const

/** S3 or SQS failed; at MAIL while it fails, else at the end of data. */
export const storageUnavailable = refused('StorageUnavailable', ...tryLater)
/** The connectors cannot be read. */
export const connectorsUnavailable = refused('ConnectorsUnavailable', ...tryLater)
/** A bug; the log has it at level `error`. */
export const internalError = refused('InternalError', ...tryLater)
/** At the greeting, while storage or connectors fail. */
export const notInService = refused(
  'StorageUnavailable',
  421,
  '4.3.2',
  'Service not available, try again later',
)
/** A message above the memory limit waited four minutes for an upload slot. */
export const tooManyLargeMessages = refused(
  'TooManyLargeMessages',
  452,
  '4.3.1',
  'Too many large messages at once, try again later',
)
/** The spool has no room for the message; at MAIL when the client announces its size. */
export const insufficientSpool = refused(
  'InsufficientSpool',
  452,
  '4.3.1',
  'Insufficient system storage, try again later',
)
/** The disk of the task failed. */
export const spoolUnavailable = refused('SpoolUnavailable', ...tryLater)
/** `maximumConnectionsPerAddress` */
export const tooManyConnections = refused(
  'TooManyConnections',
  421,
  '4.7.0',
  'Too many connections from your address, try again later',
)
/** `maximumConnectionRatePerAddress` */
export const tooManyNewConnections = refused(
  'ConnectionRate',
  421,
  '4.7.0',
  'Too many connections per minute from your address, try again later',
)
/** `maximumConnections`: every session of the task is in use. */
export const tooManySessions = refused(
  'TooManySessions',
  421,
  '4.3.2',
  'Too many connections, try again later',
)
/** A bug during a session; the log has it at level `error`. */
export const faultOfOurs = refused('InternalError', 421, '4.3.0', 'Local error, closing connection')
/** Never sent: the client has disconnected. */
export const clientLeft = statusReply(...tryLater)
/** The facts of a resumed TLS session cannot be read. */
export const uncertainTls = refused('UncertainTls', 421, '4.7.0', 'TLS session cannot be used, connect again')
/** A connector refuses a resumed TLS session, in which no certificate can be requested. */
export const certificateNotAsked = refused(
  'CertificateNotAsked',
  421,
  '4.7.0',
  'Resumed TLS session has no certificate, connect again',
)
/** At the end of data, with `bareNewlines: "Refuse"`. */
export const unlawfulOctets = refused(
  'UnlawfulOctets',
  550,
  '5.6.11',
  'Message contains a bare CR, a bare LF or a NUL',
)
/** More than 30 `Received` fields. */
export const tooManyHops = refused('HopCountExceeded', 554, '5.4.14', 'Hop count exceeded')
/** An address has non-ASCII characters without SMTPUTF8 (RFC 6531 §3.5). */
export const needsSmtpUtf8 = refused('NeedsSmtpUtf8', 550, '5.6.7', 'Address needs SMTPUTF8')

/** The address of MAIL FROM. */
export const senderTooLong = refused('AddressTooLong', 501, '5.1.7', 'Address exceeds 254 octets')
/** The address of RCPT TO. */
export const recipientTooLong = refused('AddressTooLong', 501, '5.1.3', 'Address exceeds 254 octets')

/** MAIL FROM is accepted. */
export const accepted = statusReply(250, '2.1.0', 'Accepted')
/** RCPT TO is accepted. */
export const recipientAccepted = statusReply(250, '2.1.5', 'Accepted')
/** RSET. */
export const flushed = statusReply(250, '2.0.0', 'Flushed')
/** NOOP. */
export const done = statusReply(250, '2.0.0', 'OK')
/** HELP. */
export const helpText = statusReply(214, '2.0.0', 'See RFC 5321')
/** VRFY; the reply does not reveal whether the mailbox exists (RFC 5321 §3.5.3). */
export const cannotVerify = statusReply(
  252,
  '2.0.0',
  'Cannot VRFY user, but will accept message and attempt delivery',
)
/** STARTTLS. */
export const readyForTls = statusReply(220, '2.0.0', 'Ready to start TLS')
export const dataFollows = '354 End data with <CR><LF>.<CR><LF>'
/** QUIT. */
export const closing = statusReply(221, '2.0.0', 'Bye')

/** MAIL before HELO or EHLO. */
export const needsGreeting = refused('BadSequence', 503, '5.5.1', 'Send HELO or EHLO first')
/** MAIL in a transaction. */
export const alreadyMail = refused('BadSequence', 503, '5.5.1', 'Nested MAIL command')
/** RCPT or DATA without MAIL. */
export const needsMail = refused('BadSequence', 503, '5.5.1', 'Need MAIL command')
/** DATA without an accepted recipient. */
export const needsRecipient = refused('BadSequence', 503, '5.5.1', 'Need RCPT command')
/** STARTTLS under TLS. */
export const alreadySecure = refused('BadSequence', 503, '5.5.1', 'TLS already active')
/** MAIL with REQUIRETLS in the clear (RFC 8689 §4.1). */
export const requiresTls = refused('NeedsTls', 530, '5.7.0', 'REQUIRETLS needs TLS')
/** `maximumRecipients`; the client sends the others in its next transaction. */
export const tooManyRecipients = refused('TooManyRecipients', 452, '4.5.3', 'Too many recipients')
/** A command of more than 4096 octets. */
export const lineTooLong = refused('LineTooLong', 500, '5.5.6', 'Line too long')
/** More than 64 KiB without an end of line. */
export const endlessLine = refused('LineTooLong', 421, '4.5.6', 'Line too long, closing connection')
/** A command ends in a bare LF. */
export const bareLineFeed = refused('BareLineFeed', 500, '5.5.2', 'Line ends in a bare LF')
/** The client sent something before the greeting. */
export const talksTooSoon = refused('TalksTooSoon', 421, '4.5.1', 'Client spoke before the greeting')
/** The client sent something behind DATA before it had the 354 (RFC 2920 §3.1). */
export const unauthorisedPipelining = refused(
  'UnauthorisedPipelining',
  421,
  '4.5.1',
  'Data sent before the 354 reply',
)
/** The client speaks HTTP. */
export const noHttp = refused('NotSmtp', 421, '4.5.1', 'This is not an HTTP server')
/** The client starts a TLS handshake without STARTTLS. */
export const noTlsYet = refused('NotSmtp', 421, '4.5.1', 'TLS handshake without STARTTLS')
/** `maximumErrors` replies of 4yz and 5yz since the last accepted message. */
export const tooManyErrors = refused('TooManyErrors', 421, '4.7.0', 'Too many errors, closing connection')
/** More than 100 of NOOP, RSET, VRFY, HELP, HELO and EHLO since the last accepted message. */
export const tooManyCommands = refused(
  'TooManyCommands',
  421,
  '4.7.0',
  'Too many commands without a message, closing connection',
)
/** The client was silent, or too slow (RFC 5321 §4.5.3.2.7). */
export const timedOut = refused('TimedOut', 421, '4.4.2', 'Timeout, closing connection')

/** The task stops, and no message of this client is in flight. */
export const shuttingDown = statusReply(421, '4.3.2', 'Service shutting down, try again later')

/** `maximumMessageSize`; at MAIL when the client announces its size, else at the end of data. */
export function tooLarge(maximum: number): Refused {
  return refused('MessageTooLarge', 552, '5.3.4', `Message exceeds ${maximum} octets`)
}

/** `maximumHeaderSize` */
export function headerTooLarge(maximum: number): Refused {
  return refused('HeaderTooLarge', 552, '5.3.4', `Message header exceeds ${maximum} octets`)
}

/** `maximumLineLength` */
export function messageLineTooLong(maximum: number): Refused {
  // RFC 5321 §4.5.3.1.9 has 500 for a too long line, but §4.3.2 does not allow 500 after the end of data. So the reply
  // is 550, for policy, with X.6.0: content errors without a code of their own (RFC 3463 §3.7).
  return refused('MessageLineTooLong', 550, '5.6.0', `Message has a line of more than ${maximum} octets`)
}

/** EHLO did not offer the parameter (RFC 5321 §4.1.1.11). */
export function parameterUnknown(name: string): Refused {
  return refused('ParameterUnknown', 555, '5.5.4', `Parameter ${name} is not recognized`)
}

/** More than 500 characters for ORCPT, 100 for ENVID (RFC 3461 §4.2, §4.4). */
export function parameterTooLong(name: string): Refused {
  return refused('ParameterTooLong', 501, '5.5.4', `Parameter ${name} is too long`)
}

/** The message is stored, and mailflow is responsible for it; the id is that of the message trace. */
export const queuedAs = (id: string): Reply => statusReply(250, '2.0.0', `Ok: queued as ${id}`)
