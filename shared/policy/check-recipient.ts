/** Finds what decides whether a recipient of an accepted domain exists. The ingress checks it at RCPT TO. */
import { comparableMailbox, domainOf } from '../mail/address.ts'
import { comparableLocalPart, listedLocalParts, localPartOf } from '../mail/recipient-address.ts'
import { reply } from '../mail/reply.ts'
import { isPostmasterMailbox, type PostmasterSettings } from './postmaster.ts'
import type { Snapshot } from './snapshot.ts'

export type RecipientCheck =
  /** The recipient exists if the list has one of the local parts. */
  | { kind: 'List'; domain: string; version: string; localParts: readonly string[] }
  | { kind: 'SmtpCallout'; domain: string }

export interface RecipientCheckSettings {
  postmaster?: PostmasterSettings
  /** The address for reports on TLS; these reports are stored, and no mailbox needs to exist. */
  tlsReportAddress?: string | null
}

/**
 * @param address as `resolvePostmaster` returns it
 * @returns null when the recipient is accepted without a check: its domain has no rule, or it is the postmaster of a
 * domain (RFC 5321 §4.5.1) or the address for reports on TLS
 */
export function recipientCheckOf(
  { recipientRules }: Snapshot,
  address: string,
  { postmaster, tlsReportAddress = null }: RecipientCheckSettings,
): RecipientCheck | null {
  const domain = domainOf(address)
  const rule = domain === null ? undefined : recipientRules.get(domain)
  if (domain === null || rule === undefined) return null
  const isExempt =
    comparableLocalPart(localPartOf(address)) === 'postmaster' ||
    (postmaster !== undefined && isPostmasterMailbox(address, postmaster)) ||
    (tlsReportAddress !== null && comparableMailbox(address) === comparableMailbox(tlsReportAddress))
  if (isExempt) return null
  return rule.kind === 'SmtpCallout'
    ? { kind: 'SmtpCallout', domain }
    : { kind: 'List', domain, version: rule.version, localParts: listedLocalParts(address) }
}

/** RFC 3463 §3.2: bad destination mailbox address. */
export const unknownRecipientReply = reply(550, '5.1.1', 'Recipient address does not exist')
