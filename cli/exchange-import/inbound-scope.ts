/** Imports what an inbound connector applies to, and disables a connector that would do harm in mailflow. */
import { openRelayFaults } from '../../shared/connectors/open-relay.ts'
import { domainMatchesPattern, normaliseDomain } from '../../shared/mail/domain.ts'
import type { ExchangeSettings } from './exchange-settings.ts'
import type { NoticeCollector } from './import-notices.ts'

/** Without a domain that mailflow supports, the connector applies to all recipients, which is stricter. */
export function recipientScope(settings: ExchangeSettings, collector: NoticeCollector): string[] {
  const names = settings.list('AssociatedAcceptedDomains')
  const domains = [...new Set(names.map(normaliseDomain).filter((domain) => domain !== null))]
  const unsupported = names.filter((name) => normaliseDomain(name) === null)
  if (unsupported.length > 0)
    collector.add(
      domains.length === 0 ? 'Stricter than in Exchange' : 'Weaker than in Exchange',
      `AssociatedAcceptedDomains "${unsupported.join(', ')}" is omitted: it is not a domain.`,
    )
  return domains
}

/**
 * A restriction of every sender domain keeps mail out of the tenant that does not pass another gateway. Enabled here, it
 * would stop all mail from the internet.
 */
export function noticeTenantLock(
  fields: {
    senderDomains: readonly string[]
    restrictDomainsToCertificate: boolean
    restrictDomainsToIpAddresses: boolean
  },
  collector: NoticeCollector,
): void {
  const restricts = fields.restrictDomainsToCertificate || fields.restrictDomainsToIpAddresses
  if (fields.senderDomains.includes('*') && restricts)
    collector.add(
      'Disabled',
      'it restricts every sender domain, as a tenant does whose mail comes through another gateway. Enabled, it would refuse all other mail.',
    )
}

/**
 * Returns the associated domains that match a sender domain; without associated domains, all sender domains. So the
 * import grants relay to no more senders than Exchange does.
 */
export function narrowDomains(
  senderDomains: string[],
  settings: ExchangeSettings,
  collector: NoticeCollector,
): string[] {
  const names = settings.list('AssociatedAcceptedDomains')
  if (names.length === 0) {
    if (senderDomains.length === 0)
      collector.add('Left out', 'it has no sender domain that mailflow supports.')
    return senderDomains
  }
  const domains = [...new Set(names.map(normaliseDomain).filter((domain) => domain !== null))]
  const narrowed = domains.filter((domain) =>
    senderDomains.some((pattern) => domainMatchesPattern(domain, pattern)),
  )
  if (narrowed.length === 0)
    collector.add('Left out', 'AssociatedAcceptedDomains leaves no sender domain that mailflow supports.')
  else collector.note(`AssociatedAcceptedDomains narrows the sender domains to ${narrowed.join(', ')}.`)
  return narrowed
}

/** The API refuses an open relay only while it is enabled. */
export function disableIfHarmful<
  T extends Omit<Parameters<typeof openRelayFaults>[0], 'certificateAuthorities' | 'exchangeOnline'>,
>(fields: T, collector: NoticeCollector): T {
  const faults = openRelayFaults({ ...fields, certificateAuthorities: [], exchangeOnline: null })
  for (const { message } of faults) collector.add('Disabled', `it would be an open relay: ${message}.`)
  const isDisabled = collector.notices.some(({ weight }) => weight === 'Disabled')
  return isDisabled ? { ...fields, enabled: false } : fields
}
