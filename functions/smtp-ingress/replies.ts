/** Replies of the ingress itself. Replies that connectors cause come from the policy. */
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

export const storageUnavailable = refused('StorageUnavailable', ...tryLater)
export const connectorsUnavailable = refused('ConnectorsUnavailable', ...tryLater)
export const internalError = refused('InternalError', ...tryLater)
export const notInService = refused(
  'StorageUnavailable',
  421,
  '4.3.2',
  'Service not available, try again later',
)
export const tooManyLargeMessages = refused(
  'TooManyLargeMessages',
  452,
  '4.3.1',
  'Too many large messages at once, try again later',
)
export const insufficientSpool = refused(
  'InsufficientSpool',
  452,
  '4.3.1',
  'Insufficient system storage, try again later',
)
export const spoolUnavailable = refused('SpoolUnavailable', ...tryLater)
export const tooManyConnections = refused(
  'TooManyConnections',
  421,
  '4.7.0',
  'Too many connections from your address, try again later',
)
export const tooManyNewConnections = refused(
  'ConnectionRate',
  421,
  '4.7.0',
  'Too many connections per minute from your address, try again later',
)
export const tooManySessions = refused(
  'TooManySessions',
  421,
  '4.3.2',
  'Too many connections, try again later',
)
export const faultOfOurs = refused('InternalError', 421, '4.3.0', 'Local error, closing connection')
/** Never sent: the client has disconnected. */
export const clientLeft = statusReply(...tryLater)
export const uncertainTls = refused('UncertainTls', 421, '4.7.0', 'TLS session cannot be used, connect again')
export const certificateNotAsked = refused(
  'CertificateNotAsked',
  421,
  '4.7.0',
  'Resumed TLS session has no certificate, connect again',
)
export const unlawfulOctets = refused(
  'UnlawfulOctets',
  550,
  '5.6.11',
  'Message contains a bare CR, a bare LF or a NUL',
)
export const tooManyHops = refused('HopCountExceeded', 554, '5.4.14', 'Hop count exceeded')
/** RFC 6531 §3.5 */
export const needsSmtpUtf8 = refused('NeedsSmtpUtf8', 550, '5.6.7', 'Address needs SMTPUTF8')

export const senderTooLong = refused('AddressTooLong', 501, '5.1.7', 'Address exceeds 254 octets')
export const recipientTooLong = refused('AddressTooLong', 501, '5.1.3', 'Address exceeds 254 octets')

/** Replies of the protocol (RFC 5321 §4.2, §4.3.2). */
export const accepted = statusReply(250, '2.1.0', 'Accepted')
export const recipientAccepted = statusReply(250, '2.1.5', 'Accepted')
export const flushed = statusReply(250, '2.0.0', 'Flushed')
export const done = statusReply(250, '2.0.0', 'OK')
export const helpText = statusReply(214, '2.0.0', 'See RFC 5321')
/** RFC 5321 §3.5.3: does not reveal whether the mailbox exists. */
export const cannotVerify = statusReply(
  252,
  '2.0.0',
  'Cannot VRFY user, but will accept message and attempt delivery',
)
export const readyForTls = statusReply(220, '2.0.0', 'Ready to start TLS')
export const dataFollows = '354 End data with <CR><LF>.<CR><LF>'
export const closing = statusReply(221, '2.0.0', 'Bye')

export const needsGreeting = refused('BadSequence', 503, '5.5.1', 'Send HELO or EHLO first')
export const alreadyMail = refused('BadSequence', 503, '5.5.1', 'Nested MAIL command')
export const needsMail = refused('BadSequence', 503, '5.5.1', 'Need MAIL command')
export const needsRecipient = refused('BadSequence', 503, '5.5.1', 'Need RCPT command')
export const alreadySecure = refused('BadSequence', 503, '5.5.1', 'TLS already active')
/** RFC 8689 §4.1 */
export const requiresTls = refused('NeedsTls', 530, '5.7.0', 'REQUIRETLS needs TLS')
export const tooManyRecipients = refused('TooManyRecipients', 452, '4.5.3', 'Too many recipients')
export const lineTooLong = refused('LineTooLong', 500, '5.5.6', 'Line too long')
export const endlessLine = refused('LineTooLong', 421, '4.5.6', 'Line too long, closing connection')
export const bareLineFeed = refused('BareLineFeed', 500, '5.5.2', 'Line ends in a bare LF')
export const talksTooSoon = refused('TalksTooSoon', 421, '4.5.1', 'Client spoke before the greeting')
/** RFC 2920 §3.1 */
export const unauthorisedPipelining = refused(
  'UnauthorisedPipelining',
  421,
  '4.5.1',
  'Data sent before the 354 reply',
)
export const noHttp = refused('NotSmtp', 421, '4.5.1', 'This is not an HTTP server')
export const noTlsYet = refused('NotSmtp', 421, '4.5.1', 'TLS handshake without STARTTLS')
export const tooManyErrors = refused('TooManyErrors', 421, '4.7.0', 'Too many errors, closing connection')
export const tooManyCommands = refused(
  'TooManyCommands',
  421,
  '4.7.0',
  'Too many commands without a message, closing connection',
)
/** RFC 5321 §4.5.3.2.7 */
export const timedOut = refused('TimedOut', 421, '4.4.2', 'Timeout, closing connection')

export const shuttingDown = statusReply(421, '4.3.2', 'Service shutting down, try again later')

export function tooLarge(maximum: number): Refused {
  return refused('MessageTooLarge', 552, '5.3.4', `Message exceeds ${maximum} octets`)
}

export function headerTooLarge(maximum: number): Refused {
  return refused('HeaderTooLarge', 552, '5.3.4', `Message header exceeds ${maximum} octets`)
}

/**
 * RFC 5321 §4.5.3.1.9 has 500 for a too long line, but §4.3.2 does not allow 500 after the end of data. So the reply is
 * 550, for policy, with X.6.0: content errors without a code of their own (RFC 3463 §3.7).
 */
export function messageLineTooLong(maximum: number): Refused {
  return refused('MessageLineTooLong', 550, '5.6.0', `Message has a line of more than ${maximum} octets`)
}

/** RFC 5321 §4.1.1.11 */
export function parameterUnknown(name: string): Refused {
  return refused('ParameterUnknown', 555, '5.5.4', `Parameter ${name} is not recognized`)
}

/** RFC 3461 §4.2, §4.4: 500 characters for ORCPT, 100 for ENVID. */
export function parameterTooLong(name: string): Refused {
  return refused('ParameterTooLong', 501, '5.5.4', `Parameter ${name} is too long`)
}

/** The client logs the id, for tracing. */
export const queuedAs = (id: string): Reply => statusReply(250, '2.0.0', `Ok: queued as ${id}`)
