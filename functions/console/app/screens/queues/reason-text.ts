/** Why mail waits, in a sentence for each reason of a deferral. Pure. */
import { isViolationReason, type waitingReasons } from '../../../../../shared/policy/reasons.ts'

type WaitingReason = (typeof waitingReasons)[number]

const sentences: Readonly<Record<WaitingReason, string>> = {
  InboundTlsRequired: 'Came in the clear, and an inbound connector requires TLS.',
  InboundTlsVersion: 'Came over an older version of TLS than an inbound connector requires.',
  InboundCertificateRestriction: 'Came without a certificate that an inbound connector names.',
  InboundAddressRestriction: 'Came from an IP address that an inbound connector does not name.',
  InboundDmarcRequired: 'Does not pass DMARC, which an inbound connector requires.',
  NoRouteForAcceptedDomain: 'No outbound connector routes this accepted domain.',
  RetryLater: 'The last attempt failed temporarily.',
  OutboundTlsNotMet: "The next hop did not meet the connector's or domain's TLS requirement.",
}

/** @returns an empty text for a reason that this version does not know */
export const reasonSentence = (reason: string): string => sentences[reason as WaitingReason] ?? ''

/** Whether an inbound connector holds the mail, so that it can be released. */
export const isHeld = isViolationReason

/** Why mail waits, in the two kinds that an administrator handles differently. */
export const kindTexts = {
  Held: 'An inbound connector holds it',
  Deferred: 'It is sent later',
} as const
export type WaitingKind = keyof typeof kindTexts

export const kindOf = (reason: string): WaitingKind => (isHeld(reason) ? 'Held' : 'Deferred')
