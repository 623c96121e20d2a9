/**
 * Decides whether a message is authenticated before its evaluation. The results serve the organisation's mailbox
 * servers, and connectors that require DMARC. Mail of the organisation's own servers to other domains needs none.
 */
import { isCanary, type Message, type Recipient } from '../contract/message.ts'
import { isAcceptedRecipient } from './admit-recipient.ts'
import { inboundByRecipient } from './evaluate.ts'
import type { InboundEvaluation } from './inbound.ts'
import type { PostmasterSettings } from './postmaster.ts'
import type { Snapshot } from './snapshot.ts'

export type AuthenticationNeed =
  | { kind: 'None' }
  /** The message must be authenticated before it is evaluated. */
  | { kind: 'Authenticate' }
  /** An OnPremises connector treats the mail as internal, so nothing is checked. */
  | { kind: 'Internal'; connector: string }

const none = { kind: 'None' } as const

/**
 * @param job the recipients that need a decision, and the time before which the job is early; null for the first job
 * and for the result of an attempt
 * @param postmaster if absent, no postmaster is configured
 */
export function authenticationNeed(
  snapshot: Snapshot,
  message: Message,
  { recipients, notBefore }: { recipients: readonly Recipient[]; notBefore: string | null },
  postmaster?: PostmasterSettings,
): AuthenticationNeed {
  if (message.source === null) return none
  const inboundFor = inboundByRecipient(snapshot, message)
  const evaluations = recipients
    .filter((recipient) => !isCanary(message, recipient))
    .map(({ address }) => ({ address, inbound: inboundFor(address) }))
    .filter(
      ({ address, inbound }) => isAcceptedRecipient(snapshot, address, postmaster) || requiresDmarc(inbound),
    )
  if (evaluations.some(({ inbound }) => !inbound.attributedTo?.treatMessagesAsInternal))
    return hasResults(message, notBefore) ? none : { kind: 'Authenticate' }
  const internal = evaluations[0]?.inbound.attributedTo
  return internal && message.authentication === undefined
    ? { kind: 'Internal', connector: internal.name }
    : none
}

const requiresDmarc = ({ partner, reportOnlyPartner }: InboundEvaluation): boolean =>
  [partner, reportOnlyPartner].some((connector) => connector?.requireDmarc)

/**
 * Mail that was internal under earlier connectors has no results. A temporary error that is older than the job's time is
 * tried again, so a message that waits for a result is authenticated once before each of its decisions.
 */
function hasResults({ authentication }: Message, notBefore: string | null): boolean {
  if (authentication === undefined || authentication.internal !== null) return false
  const isTemporary = authentication.dmarc?.result === 'temperror'
  return !isTemporary || notBefore === null || Date.parse(authentication.at) >= Date.parse(notBefore)
}
