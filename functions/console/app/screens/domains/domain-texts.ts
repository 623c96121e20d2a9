/** What the settings of an accepted domain mean, and what a change does to mail. Pure. */

import { normaliseDomain } from '../../../../../shared/mail/domain.ts'
import { countText } from '../../../../../shared/policy/text-lists.ts'
import type { AcceptedDomain } from '../../api/types.ts'

export type RecipientsMode = AcceptedDomain['recipients']

export const recipientsModes: readonly RecipientsMode[] = ['Any', 'List', 'SmtpCallout']

export const modeTexts: Readonly<Record<RecipientsMode, { label: string; description: string }>> = {
  Any: {
    label: 'Any: every address is accepted',
    description: 'The mailbox server refuses what does not exist. Then the gateway sends a DSN.',
  },
  List: {
    label: 'List: only addresses in the list',
    description: 'Others are refused at once: 550 5.1.1.',
  },
  SmtpCallout: {
    label: 'SmtpCallout: addresses that the mailbox server accepts',
    description: 'The gateway checks them with the next hop of the outbound connector, without a message.',
  },
}

export const addressesText = ({ recipientList }: Pick<AcceptedDomain, 'recipientList'>): string =>
  recipientList
    ? `${recipientList.addresses.toLocaleString('en')} ${plural(recipientList.addresses)}`
    : 'none'

const plural = (count: number): string => (count === 1 ? 'address' : 'addresses')

export const modeText = (domain: Pick<AcceptedDomain, 'recipients' | 'recipientList'>): string =>
  domain.recipients === 'List' ? `List: ${addressesText(domain)}` : domain.recipients

/** What is wrong with the name of a domain to be added; null if it is well-formed. */
export function domainFault(text: string): string | null {
  if (text === '') return 'Give a domain, such as example.com.'
  if (normaliseDomain(text) !== null) return null
  if (text.includes('*')) return 'Wildcards are not allowed here. Add each domain.'
  if (text.includes('..')) return `“${text}” has two dots in a row. Give a domain, such as example.com.`
  return `“${text}” is not a domain name. Give one such as example.com.`
}

/** A domain that is accepted from now on. */
export const addEffects = (domain: string): string[] => [
  `The gateway accepts mail for ${domain || 'the domain'} within a second. Its MX records decide when mail arrives.`,
  'An outbound connector must route the domain to your mailbox server. Until then its mail is deferred.',
]

/** @returns no sentence when the recipients do not change */
export function modeEffects(
  from: Pick<AcceptedDomain, 'recipients' | 'recipientList'>,
  to: RecipientsMode,
): string[] {
  if (from.recipients === to) return []
  if (to === 'List')
    return [
      `From then on the gateway refuses each recipient who is not among the ${addressesText(from)} of the list: 550 5.1.1. The sender's server returns the mail.`,
    ]
  if (to === 'SmtpCallout')
    return [
      'From then on the gateway refuses recipients whom your mailbox server refuses: 550 5.1.1. When the check fails, it accepts them.',
    ]
  return [
    'From then on the gateway accepts mail for every address. What your mailbox server refuses bounces, with a DSN to a sender that may be forged.',
  ]
}

export const removeEffects = ({ domain, recipientList }: AcceptedDomain): string[] => [
  `From then on the gateway refuses every recipient at ${domain}: 550 5.7.64 Relay access denied. The sender's server returns the mail.`,
  `Mail from outside that still waits for ${domain} bounces at its next decision, with a DSN to its sender.`,
  `Mail of your own servers to ${domain} is sent as to any other domain.`,
  ...(recipientList
    ? [`The list of ${countText(recipientList.addresses, 'address', 'addresses')} is deleted.`]
    : []),
]

/** Addresses or local parts: one a line, or separated by commas, semicolons or spaces. */
export const readAddresses = (text: string): string[] => [
  ...new Set(text.split(/[\s,;]+/).filter((part) => part !== '')),
]

/** @param q letters that the address or the comment has */
export const filterDomains = (domains: readonly AcceptedDomain[], q: string): readonly AcceptedDomain[] => {
  const wanted = q.trim().toLowerCase()
  return wanted === ''
    ? domains
    : domains.filter((domain) =>
        [domain.domain, domain.comment, modeText(domain)].some((text) => text.toLowerCase().includes(wanted)),
      )
}
