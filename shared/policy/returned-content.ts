/**
 * Whether a failed DSN may bring the whole message back, as RET=FULL asks. The risk: what forced TLS protected on its
 * way out comes back in the clear, since nothing is known of the way to the sender. So whatever is protected, or may
 * have been, comes back as headers (RFC 8689 §5). Its limit: it knows the connectors of this moment and the last
 * attempt; an inbound connector that was deleted after the message came is only noticed by the attribution it leaves.
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

/** Connectors that only report count too: the administrator means to protect that mail. */
function wasProtectedIn({ attributedTo }: Pick<Message, 'attributedTo'>, inbound: InboundJudgement): boolean {
  const tookPart = [inbound.partner, inbound.trial, inbound.attributedTo]
  return (
    tookPart.some((connector) => connector?.requireTls) || attributedTo !== (inbound.attributedTo?.id ?? null)
  )
}
