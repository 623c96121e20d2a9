/**
 * Decides whether a failure DSN may return the whole message, as RET=FULL requests. The risk: forced TLS protected the
 * message, but the DSN may be sent in the clear. So the DSN for a message that was or may have been protected returns
 * only its headers (RFC 8689 §5). Not covered: earlier attempts other than the last, and policies that the recipient's
 * domain published then.
 */
import type { OutboundConnector } from '../connectors/schema.ts'
import type { Message, Recipient } from '../contract/message.ts'
import type { InboundEvaluation } from './inbound.ts'
import { requiresNextHopTls } from './mandatory-policies.ts'

interface BounceContext {
  message: Pick<Message, 'envelope' | 'attributedTo'>
  inbound: InboundEvaluation
  outbound: OutboundConnector | null
  recipient: Pick<Recipient, 'lastAttempt'>
  /** Whether a connector forced TLS at an earlier decision. */
  hadForcedTls: boolean
}

export function mayReturnContent({
  message,
  inbound,
  outbound,
  recipient,
  hadForcedTls,
}: BounceContext): boolean {
  const { dsn, requireTls } = message.envelope
  return (
    dsn.ret === 'FULL' &&
    !requireTls &&
    !hadForcedTls &&
    !wasProtectedInbound(message, inbound) &&
    (outbound === null || !requiresNextHopTls(outbound)) &&
    (recipient.lastAttempt === null || recipient.lastAttempt.policy === 'Opportunistic')
  )
}

/**
 * Includes report-only connectors: the administrator intends to protect that mail. If the message was attributed to
 * another connector at its receipt, that connector may have required TLS.
 */
function wasProtectedInbound(
  { attributedTo }: Pick<Message, 'attributedTo'>,
  inbound: InboundEvaluation,
): boolean {
  const connectors = [inbound.partner, inbound.reportOnlyPartner, inbound.attributedTo]
  return (
    connectors.some((connector) => connector?.requireTls) ||
    attributedTo !== (inbound.attributedTo?.id ?? null)
  )
}
