/**
 * A rejection: the ingress refused a session, a sender, a recipient or a message. An administrator asks who was refused
 * and why, also if the cause is a failure of the gateway itself.
 */
import type { MailEvent } from '../../../shared/contract/events.ts'
import type { TlsLevel } from '../../../shared/contract/message.ts'
import type { EventFields } from '../../../shared/events/create-event.ts'
import { canaryUnavailable, type Refusal, timedOut } from '../replies.ts'
import type { HandshakeFailure } from '../tls/handshake-failure.ts'

export type SessionStage = NonNullable<MailEvent['stage']>

/** Where in the session a refusal was given, and to which command. */
export interface RefusalContext {
  stage: SessionStage
  /** The reverse path; absent before MAIL. */
  sender?: string | undefined
  recipient?: string | undefined
}

export interface Rejection {
  /** Milliseconds since 1970. */
  at: number
  ip: string
  stage: SessionStage
  reason: string
  /** Absent if the session ended without one. */
  reply?: string
  /** Id of the connector that refused. */
  connector?: string
  /** The TLS level that this connector requires of the client. */
  requiredLevel?: TlsLevel
  /** Returns the columns that are dropped when rejections are counted together. */
  details(): Partial<EventFields>
}

/** The client gave up; a canary is no mail. */
const otherReasons: ReadonlySet<string> = new Set([timedOut.reason, canaryUnavailable.reason])

/**
 * Whether a refusal is a rejection. It is none if the enhanced status code is X.5.z, mail delivery protocol (RFC 3463
 * §3.6): a command that is mistyped, out of sequence, unknown or not offered, or a client that speaks another protocol.
 * Also the 452 4.5.3 to one recipient too many, which the client sends in its next transaction. A malformed address is
 * a rejection (X.1.z), although its reply is 501: a person may wait for that mail.
 */
export const isRejection = ({ reason, reply }: Refusal): boolean =>
  reply.enhanced.split('.')[1] !== '5' && !otherReasons.has(reason)

/** Failures of a handshake that say nothing about its parameters: the client gave up, or does not speak TLS. */
const otherFailures: ReadonlySet<HandshakeFailure> = new Set(['Closed', 'TimedOut', 'NotTls'])

/** @returns the reason of the rejection, or null if the failure of a handshake is none */
export const handshakeRejectionReason = (failure: HandshakeFailure): string | null =>
  otherFailures.has(failure) ? null : `TlsHandshake${failure}`
