/** Decides the reply to RCPT TO. A message that would certainly bounce is refused in session, to avoid backscatter. */
import type { InboundConnector } from '../connectors/schema.ts'
import type { Reply } from '../contract/message.ts'
import { domainOf } from '../mail/address.ts'
import { reply } from '../mail/reply.ts'
import type { InboundEvaluation } from './inbound.ts'
import { isPostmasterMailbox, type PostmasterSettings } from './postmaster.ts'
import type { Reason } from './reasons.ts'
import type { Snapshot } from './snapshot.ts'
import { revocationUndeterminedReply } from './violation.ts'

export type RcptResult =
  | { action: 'Accept'; direction: 'Originating' | 'Incoming'; attributedTo: string | null }
  | { action: 'Refuse'; reply: Reply; reason: Reason; connector: string | null; explanation: string }

/**
 * A violation of a connector with `onViolation: Defer` is not refused here: evaluate-policy holds the message, and an
 * administrator can release it. Only the organisation's own servers may send to a recipient outside the accepted
 * domains, except to the configured postmaster.
 * @param evaluation the evaluation of the sender, the same for every recipient
 * @param rcptTo the recipient, as `resolvePostmaster` returns it
 * @param postmaster if absent, no postmaster is configured
 */
export function admitRecipient(
  snapshot: Snapshot,
  evaluation: InboundEvaluation,
  rcptTo: string,
  postmaster?: PostmasterSettings,
): RcptResult {
  const { violation, attributedTo, revocationUndetermined, unreadableSender } = evaluation
  if (unreadableSender) {
    return {
      action: 'Refuse',
      reply: badSenderReply,
      reason: 'UnreadableSender',
      connector: null,
      explanation: 'The reverse path names no valid domain, so no connector can match it.',
    }
  }
  if (violation && violation.connector.onViolation === 'Bounce') {
    const { inSession, reason, connector, explanation } = violation
    return { action: 'Refuse', reply: inSession, reason, connector: connector.id, explanation }
  }
  if (domainOf(rcptTo) === null) {
    return {
      action: 'Refuse',
      reply: notRoutableReply,
      reason: 'NotRoutable',
      connector: null,
      explanation: `${rcptTo} names no domain, so no connector can match it.`,
    }
  }
  if (attributedTo === null && !isAcceptedRecipient(snapshot, rcptTo, postmaster)) {
    if (revocationUndetermined !== null) return deferForRevocation(revocationUndetermined, rcptTo)
    return {
      action: 'Refuse',
      reply: relayDeniedReply,
      reason: 'RelayDenied',
      connector: evaluation.tenant?.connector.id ?? null,
      explanation: `${rcptTo} is in no accepted domain, and ${unidentifiedText(evaluation)}.`,
    }
  }
  return {
    action: 'Accept',
    direction: attributedTo ? 'Originating' : 'Incoming',
    attributedTo: attributedTo?.id ?? null,
  }
}

/** A clause without text from the client, because a DSN may contain it. */
export const unidentifiedText = ({ tenant }: Pick<InboundEvaluation, 'tenant'>): string =>
  tenant === null
    ? "no OnPremises connector identifies the sender's server"
    : `the message does not show the tenant of Exchange Online that connector "${tenant.connector.name}" expects`

const deferForRevocation = ({ id, name }: InboundConnector, rcptTo: string): RcptResult => ({
  action: 'Refuse',
  reply: revocationUndeterminedReply,
  reason: 'RelayDenied',
  connector: id,
  explanation: `${rcptTo} is in no accepted domain, and connector "${name}" cannot determine whether the certificate of the sender's server is revoked.`,
})

/** RFC 3463 §3.2: bad sender's mailbox address syntax. */
export const badSenderReply = reply(553, '5.1.7', 'Sender address has no valid domain')

/** RFC 3463 §3.2: bad destination system address. */
export const notRoutableReply = reply(550, '5.1.2', 'Recipient has no domain name')

export const relayDeniedReply = reply(550, '5.7.64', 'Relay access denied')

/** Whether mail to the address is accepted from every client that no connector restricts. */
export function isAcceptedRecipient(
  snapshot: Snapshot,
  address: string,
  postmaster?: PostmasterSettings,
): boolean {
  const domain = domainOf(address)
  if (domain === null) return false
  return (
    snapshot.acceptedDomains.has(domain) ||
    (postmaster !== undefined && isPostmasterMailbox(address, postmaster))
  )
}
