/**
 * Decides whether a failure DSN may return the whole message, as RET=FULL asks. The risk: forced TLS protected the
 * message, but the way back to the sender may be in the clear. So a message that was or may have been protected returns
 * as headers only (RFC 8689 §5). Its limit: only the present connectors and the last attempt are known. A deleted
 * inbound connector shows only in the message's attribution.
 */
import type { OutboundConnector } from '../connectors/schema.ts'
import type { Message, Recipient } from '../contract/message.ts'
import type { InboundJudgement } from './inbound.ts'

interface Bounced {
  message: Pick<Message, 'envelope' | 'attributedTo'>
  inbound: InboundJudgement
  outbound: OutboundConnector | null
  recipient: Pick<Recipient, 'lastAttempt'>
}

export function mayReturnContent({ message, inbound, outbound, recipient }: Bounced): boolean {
  const { dsn, requireTls } = message.envelope
  return (
    dsn.ret === 'FULL' &&
    !requireTls &&
    !wasProtectedIn(message, inbound) &&
    (outbound === null || outbound.tlsSettings === null) &&
    (recipient.lastAttempt === null || recipient.lastAttempt.policy === 'Opportunistic')
  )
}

/** Connectors that only report count too: the administrator intends to protect that mail. */
function wasProtectedIn({ attributedTo }: Pick<Message, 'attributedTo'>, inbound: InboundJudgement): boolean {
  const tookPart = [inbound.partner, inbound.trial, inbound.attributedTo]
  return (
    tookPart.some((connector) => connector?.requireTls) || attributedTo !== (inbound.attributedTo?.id ?? null)
  )
}
