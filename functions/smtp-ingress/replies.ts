/**
 * Replies of the ingress itself. Replies that connectors cause come from the policy. The comment of a reply states when
 * the reply is sent, and appears in docs/generated/replies.md.
 */
import type { Reply } from '../../shared/contract/message.ts'
import { reply } from '../../shared/mail/reply.ts'
import { unknownRecipientReply } from '../../shared/policy/check-recipient.ts'

/** A reply that refuses, and the reason under which it is counted. */
export interface Refusal {
  reason: string
  reply: Reply
}

export const refusal = (reason: string, code: number, enhanced: string, text: string): Refusal => ({
  reason,
  reply: reply(code, enhanced, text),
})

const localError = [451, '4.3.0', 'Requested action not taken: local error, try again later'] as const

/** S3 or SQS failed, at the end of data; at MAIL while storage or connectors keep failing. */
export const storageUnavailable = refusal('StorageUnavailable', ...localError)
/** The connectors cannot be read. */
export const connectorsUnavailable = refusal('ConnectorsUnavailable', ...localError)
/** It cannot be read whether the recipient is the address of the last canary. */
export const canaryUnavailable = refusal('CanaryUnavailable', ...localError)
/** A bug in the ingress, found at DATA. */
export const internalError = refusal('InternalError', ...localError)
/** At the greeting, while storage or connectors fail. */
export const serviceUnavailable = refusal(
  'StorageUnavailable',
  421,
  '4.3.2',
  'Service not available, try again later',
)
/** A message above the memory limit waited four minutes for an upload slot. */
export const tooManyLargeMessages = refusal(
  'TooManyLargeMessages',
  452,
  '4.3.1',
  'Too many large messages at the same time, try again later',
)
/** The spool has no room for the message; at MAIL when the client announces its size. */
export const insufficientSpool = refusal(
  'InsufficientSpool',
  452,
  '4.3.1',
  'Insufficient system storage, try again later',
)
/** The disk of the task failed. */
export const spoolUnavailable = refusal('SpoolUnavailable', ...localError)
/** `maximumConnectionsPerAddress` */
export const tooManyConnections = refusal(
  'TooManyConnections',
  421,
  '4.7.0',
  'Too many connections from your address, try again later',
)
/** `maximumConnectionRatePerAddress` */
export const tooManyNewConnections = refusal(
  'ConnectionRate',
  421,
  '4.7.0',
  'Too many connections per minute from your address, try again later',
)
/** `maximumConnections`: every session of the task is in use. */
export const tooManySessions = refusal(
  'TooManySessions',
  421,
  '4.3.2',
  'Too many connections, try again later',
)
/** The recipient of a domain with `recipients: List` or `SmtpCallout` does not exist. */
export const unknownRecipient: Refusal = { reason: 'UnknownRecipient', reply: unknownRecipientReply }
/** More than 20 unknown recipients within a minute from one address; the session ends. */
export const tooManyUnknownRecipients = refusal(
  'TooManyUnknownRecipients',
  421,
  '4.7.0',
  'Too many unknown recipients from your address, try again later',
)
/** A recipient of a checked domain, until the minute with too many unknown recipients is over. */
export const unknownRecipientsLimited = refusal(
  'TooManyUnknownRecipients',
  451,
  '4.7.0',
  'Too many unknown recipients from your address, try again later',
)
/** Too many checks of recipients at their mailbox server: of the client, of the task, or of `check-recipient`. */
export const tooManyRecipientChecks = refusal(
  'TooManyRecipientChecks',
  451,
  '4.3.2',
  'Too many recipients are being checked, try again later',
)
/** A bug during a session; the log has it at level `error`. */
export const internalErrorClosing = refusal('InternalError', 421, '4.3.0', 'Local error, closing connection')
/** Never sent: the client has disconnected. */
export const clientDisconnected = reply(...localError)
/** A TLS session with a client certificate was resumed, or the facts of a TLS session cannot be determined. */
export const unknownTlsFacts = refusal(
  'UncertainTls',
  421,
  '4.7.0',
  'TLS session cannot be used, connect again',
)
/**
 * A certificate might change the decision, but none was requested: the TLS session was resumed, or an earlier handshake
 * of the client cost too much.
 */
export const certificateNotRequested = refusal(
  'CertificateNotRequested',
  421,
  '4.7.0',
  'No certificate was requested in this TLS session, try again later',
)
/** At the end of data, with `bareNewlines: "Refuse"`. */
export const messageHasBareNewlines = refusal(
  'BareNewlines',
  550,
  '5.6.11',
  'Message contains a bare CR, a bare LF or a NUL',
)
/** More than 30 `Received` fields. */
export const tooManyHops = refusal('HopCountExceeded', 554, '5.4.14', 'Hop count exceeded')
/** A local part has non-ASCII characters, and MAIL has no SMTPUTF8 (RFC 6531 §3.5). */
export const needsSmtpUtf8 = refusal('NeedsSmtpUtf8', 550, '5.6.7', 'Address needs SMTPUTF8')

/** The address of MAIL FROM. */
export const senderTooLong = refusal('AddressTooLong', 501, '5.1.7', 'Address exceeds 254 octets')
/** The address of RCPT TO. */
export const recipientTooLong = refusal('AddressTooLong', 501, '5.1.3', 'Address exceeds 254 octets')

/** MAIL FROM is accepted. */
export const accepted = reply(250, '2.1.0', 'Accepted')
/** RCPT TO is accepted. */
export const recipientAccepted = reply(250, '2.1.5', 'Accepted')
/** RSET. */
export const flushed = reply(250, '2.0.0', 'Flushed')
/** NOOP. */
export const noopDone = reply(250, '2.0.0', 'OK')
/** HELP. */
export const helpText = reply(214, '2.0.0', 'See RFC 5321')
/** VRFY; the reply does not reveal whether the mailbox exists (RFC 5321 §3.5.3). */
export const cannotVerify = reply(
  252,
  '2.0.0',
  'Cannot VRFY user, but will accept message and attempt delivery',
)
/** STARTTLS. */
export const readyForTls = reply(220, '2.0.0', 'Ready to start TLS')
export const dataFollows = '354 End data with <CR><LF>.<CR><LF>'
/** QUIT. */
export const quitReply = reply(221, '2.0.0', 'Bye')

/** MAIL before HELO or EHLO. */
export const needsGreeting = refusal('BadSequence', 503, '5.5.1', 'Send HELO or EHLO first')
/** MAIL in a transaction. */
export const nestedMail = refusal('BadSequence', 503, '5.5.1', 'Nested MAIL command')
/** RCPT, DATA or BDAT without MAIL. */
export const needsMail = refusal('BadSequence', 503, '5.5.1', 'Need MAIL command')
/** DATA or BDAT without an accepted recipient. */
export const needsRecipient = refusal('BadSequence', 503, '5.5.1', 'Need RCPT command')
/** BDAT, DATA or RCPT after a refused BDAT, until RSET or the last chunk (RFC 3030 §2). */
export const chunkFailed = refusal('BadSequence', 503, '5.5.1', 'An earlier BDAT failed, send RSET')
/** DATA or RCPT after BDAT, in the same transaction (RFC 3030 §2). */
export const chunksBegun = refusal('BadSequence', 503, '5.5.1', 'Message is sent by BDAT, send BDAT or RSET')
/** STARTTLS under TLS. */
export const tlsAlreadyActive = refusal('BadSequence', 503, '5.5.1', 'TLS already active')
/** MAIL with REQUIRETLS in the clear (RFC 8689 §4.1). */
export const requiresTls = refusal('NeedsTls', 530, '5.7.0', 'REQUIRETLS needs TLS')
/** `maximumRecipients`; the client sends the others in its next transaction. */
export const tooManyRecipients = refusal('TooManyRecipients', 452, '4.5.3', 'Too many recipients')
/** A command of more than 4096 octets. */
export const lineTooLong = refusal('LineTooLong', 500, '5.5.6', 'Line too long')
/** More than 64 KiB without an end of line. */
export const lineWithoutEnd = refusal('LineTooLong', 421, '4.5.6', 'Line too long, closing connection')
/** A command ends in a bare LF. */
export const bareLineFeed = refusal('BareLineFeed', 500, '5.5.2', 'Line ends in a bare LF')
/** The client sent something before the greeting. */
export const spokeBeforeGreeting = refusal(
  'ClientSpokeFirst',
  421,
  '4.5.1',
  'Client spoke before the greeting',
)
/** The client sent something after DATA before it had the 354 (RFC 2920 §3.1). */
export const dataBefore354 = refusal('UnauthorisedPipelining', 421, '4.5.1', 'Data sent before the 354 reply')
/** The client speaks HTTP. */
export const httpRequest = refusal('NotSmtp', 421, '4.5.1', 'This is not an HTTP server')
/** The client starts a TLS handshake without STARTTLS. */
export const tlsWithoutStartTls = refusal('NotSmtp', 421, '4.5.1', 'TLS handshake without STARTTLS')
/** `maximumErrors` replies of 4yz and 5yz since the last accepted message. */
export const tooManyErrors = refusal('TooManyErrors', 421, '4.7.0', 'Too many errors, closing connection')
/** More than 100 of NOOP, RSET, VRFY, HELP, HELO and EHLO since the last accepted message. */
export const tooManyCommands = refusal(
  'TooManyCommands',
  421,
  '4.7.0',
  'Too many commands without a message, closing connection',
)
/** A message by BDAT in more than 1000 chunks that have less than 32 octets on average. */
export const tooManyChunks = refusal(
  'TooManyCommands',
  421,
  '4.7.0',
  'Too many small chunks, closing connection',
)
/** `maximumConnections` is almost reached, and this session was idle for longest. */
export const idleSessionEnded = refusal(
  'IdleSession',
  421,
  '4.3.2',
  'Too many sessions, closing this idle one',
)
/** The client was silent or too slow (RFC 5321 §4.5.3.2.7). */
export const timedOut = refusal('TimedOut', 421, '4.4.2', 'Timeout, closing connection')

/** The task stops, and no message of this client is in flight. */
export const shuttingDown = reply(421, '4.3.2', 'Service shutting down, try again later')

/** `maximumMessageSize`; at MAIL when the client announces its size, else at the end of data. */
export function tooLarge(maxOctets: number): Refusal {
  return refusal('MessageTooLarge', 552, '5.3.4', `Message exceeds ${maxOctets} octets`)
}

/** `maximumHeaderSize` */
export function headerTooLarge(maxOctets: number): Refusal {
  return refusal('HeaderTooLarge', 552, '5.3.4', `Message header exceeds ${maxOctets} octets`)
}

/** `maximumLineLength` */
export function messageLineTooLong(maxOctets: number): Refusal {
  // RFC 5321 §4.5.3.1.9 has 500 for a too long line, but §4.3.2 does not allow 500 after the end of data. So the reply
  // is 550, for policy, with X.6.0: content errors without a code of their own (RFC 3463 §3.7).
  return refusal('MessageLineTooLong', 550, '5.6.0', `Message has a line of more than ${maxOctets} octets`)
}

/** EHLO did not offer the parameter (RFC 5321 §4.1.1.11). */
export function parameterUnknown(name: string): Refusal {
  return refusal('ParameterUnknown', 555, '5.5.4', `Parameter ${name} is not recognized`)
}

/** MAIL with `BODY=BINARYMIME` (RFC 3030 §3): the next hop may not take binary content. */
export const binaryMimeNotOffered = refusal(
  'ParameterUnknown',
  555,
  '5.5.4',
  'BODY=BINARYMIME is not offered, send 7BIT or 8BITMIME',
)

/** More than 500 characters for ORCPT, 100 for ENVID (RFC 3461 §4.2, §4.4). */
export function parameterTooLong(name: string): Refusal {
  return refusal('ParameterTooLong', 501, '5.5.4', `Parameter ${name} is too long`)
}

/** BDAT without LAST. The message is stored after its last chunk only. */
export const chunkReceived = (octets: number): Reply => reply(250, '2.0.0', `Ok: ${octets} octets received`)

/** The message is stored, and mailflow is responsible for it; the id is that of the message trace. */
export const queuedAs = (id: string): Reply => reply(250, '2.0.0', `Ok: queued as ${id}`)
