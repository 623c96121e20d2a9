/**
 * Imports the output of Get-InboundConnector. A Partner connector restricts: a requirement that cannot be imported
 * causes a notice. An OnPremises connector grants relay: the import may grant less, never more.
 */
import { isIP } from 'node:net'
import { domainMatchesPattern, normaliseDomain } from '../../shared/mail/domain.ts'
import { inboundConnectors } from '../connectors/kinds.ts'
import { domainPatterns } from './address-space.ts'
import {
  checked,
  commonFields,
  type Imported,
  remarkOnMissing,
  remarkOnRest,
  titleOf,
  type Uncarried,
} from './connector-common.ts'
import type { Settings } from './exchange-settings.ts'
import { Remarks } from './import-notices.ts'
import { certificateNames } from './sender-certificate-names.ts'

const decisive = ['RequireTls', 'RestrictDomainsToCertificate', 'RestrictDomainsToIPAddresses']

const uncarried: readonly Uncarried[] = [
  {
    setting: 'CloudServicesMailEnabled',
    says: 'mailflow has no cross-premises headers and trusts no headers of other servers.',
  },
  {
    setting: 'ScanAndDropRecipients',
    says: 'mail for these recipients is delivered normally.',
  },
  {
    setting: 'TrustedOrganizations',
    says: 'other Exchange Online organisations are identified only by IP address or certificate.',
  },
  { setting: 'ClientHostNames', says: 'clients are identified only by IP address or certificate.' },
  { setting: 'EFSkipLastIP', says: skipped() },
  { setting: 'EFSkipIPs', says: skipped() },
  { setting: 'EFSkipMailGateway', says: skipped() },
  { setting: 'EFUsers', says: skipped() },
  { setting: 'EFTestMode', says: skipped() },
  { setting: 'DetectSenderIPBySkippingLastIP', says: skipped() },
  { setting: 'DetectSenderIPBySkippingTheseIPs', says: skipped() },
]

function skipped(): string {
  return 'only the IP address of the client counts (no enhanced filtering).'
}

export function importInbound(settings: Settings): Imported {
  const remarks = new Remarks(titleOf('inbound connector', settings))
  const common = commonFields(settings, remarks)
  const fields = {
    ...common,
    ...(common.connectorType === 'OnPremises' ? onPremises(settings, remarks) : partner(settings, remarks)),
  }
  remarkOnMissing(settings, decisive, remarks)
  remarkOnRest(settings, uncarried, remarks)
  return checked(inboundConnectors, fields, remarks)
}

function partner(settings: Settings, remarks: Remarks) {
  if (settings.flag('TreatMessagesAsInternal') === true)
    remarks.note('TreatMessagesAsInternal is only for OnPremises connectors and is omitted.')
  // Narrowing a restriction would weaken it, so the setting is ignored.
  if (settings.list('AssociatedAcceptedDomains').length > 0)
    remarks.add(
      'Stricter than in Exchange',
      'AssociatedAcceptedDomains is not imported: the connector applies to all its sender domains.',
    )
  const senderDomains = domainPatterns('SenderDomains', settings, 'Weaker than in Exchange', remarks)
  if (senderDomains.length === 0) remarks.add('Left out', 'it has no sender domain that mailflow supports.')
  const addresses = addressesOf(settings, remarks)
  const certificate = partnerCertificate(settings, remarks)
  return {
    senderDomains,
    senderIpAddresses: addresses,
    ...certificate,
    ...restrictByAddress(settings, addresses, certificate, remarks),
  }
}

/** Exchange checks the certificate's name only if it requires TLS or restricts to that name. */
function partnerCertificate(settings: Settings, remarks: Remarks) {
  const restricts = settings.flag('RestrictDomainsToCertificate') === true
  const requireTls = settings.flag('RequireTls') ?? false
  const names = certificateNames(settings, remarks)
  if (restricts && names.length === 0) {
    remarks.add(
      'Weaker than in Exchange',
      'RestrictDomainsToCertificate names no certificate that mailflow supports, so TLS is required but no certificate. Set tlsSenderCertificateNames and restrictDomainsToCertificate.',
    )
    return { requireTls: true, tlsSenderCertificateNames: [], restrictDomainsToCertificate: false }
  }
  if (restricts && !requireTls)
    remarks.note('RequireTls is false, but the required certificate needs TLS; requireTls is set to true.')
  if (!restricts && !requireTls && names.length > 0)
    remarks.note('TlsSenderCertificateName had no effect because RequireTls is false; it is omitted.')
  return {
    requireTls: requireTls || restricts,
    tlsSenderCertificateNames: restricts || requireTls ? names : [],
    restrictDomainsToCertificate: restricts,
  }
}

function restrictByAddress(
  settings: Settings,
  addresses: readonly string[],
  { restrictDomainsToCertificate }: { restrictDomainsToCertificate: boolean },
  remarks: Remarks,
) {
  if (settings.flag('RestrictDomainsToIPAddresses') !== true) return { restrictDomainsToIpAddresses: false }
  if (restrictDomainsToCertificate) {
    remarks.add(
      'Weaker than in Exchange',
      'it restricts to a certificate and to IP addresses; a mailflow connector can require only one: the certificate is required, the addresses are not.',
    )
    return { restrictDomainsToIpAddresses: false }
  }
  if (addresses.length === 0) {
    remarks.add(
      'Weaker than in Exchange',
      'RestrictDomainsToIPAddresses lists no address that mailflow supports, so no address is required. Set senderIpAddresses and restrictDomainsToIpAddresses.',
    )
    return { restrictDomainsToIpAddresses: false }
  }
  return { restrictDomainsToIpAddresses: true }
}

function onPremises(settings: Settings, remarks: Remarks) {
  const restrictions = ['RestrictDomainsToCertificate', 'RestrictDomainsToIPAddresses']
  for (const setting of restrictions)
    if (settings.flag(setting) === true)
      remarks.note(`${setting} has no effect on OnPremises connectors and is omitted.`)
  const requireTls = settings.flag('RequireTls') ?? false
  const names = certificateNames(settings, remarks)
  const addresses = addressesOf(settings, remarks)
  const byName = requireTls || addresses.length === 0
  if (names.length > 0 && !requireTls)
    remarks.note(
      byName
        ? 'RequireTls is false, but the certificate that identifies the server needs TLS; requireTls is set to true.'
        : 'TlsSenderCertificateName had no effect because RequireTls is false; the servers are identified by IP address.',
    )
  if (names.length === 0 && addresses.length === 0)
    remarks.add('Left out', 'it names neither an IP address nor a certificate, and would be an open relay.')
  const treatMessagesAsInternal = settings.flag('TreatMessagesAsInternal') ?? false
  if (treatMessagesAsInternal)
    remarks.note('TreatMessagesAsInternal is imported, but has no effect in mailflow yet.')
  return {
    senderDomains: narrowed(domainPatterns('SenderDomains', settings, 'Note', remarks), settings, remarks),
    senderIpAddresses: addresses,
    requireTls: requireTls || (names.length > 0 && byName),
    tlsSenderCertificateNames: byName ? names : [],
    treatMessagesAsInternal,
  }
}

/** Returns the associated domains that the sender domains include: the import must not grant relay to more senders. */
function narrowed(senderDomains: string[], settings: Settings, remarks: Remarks): string[] {
  const names = settings.list('AssociatedAcceptedDomains')
  if (names.length === 0) {
    if (senderDomains.length === 0) remarks.add('Left out', 'it has no sender domain that mailflow supports.')
    return senderDomains
  }
  const domains = [...new Set(names.map(normaliseDomain).filter((domain) => domain !== null))]
  const both = domains.filter((domain) =>
    senderDomains.some((pattern) => domainMatchesPattern(domain, pattern)),
  )
  if (both.length === 0)
    remarks.add('Left out', 'AssociatedAcceptedDomains leaves no sender domain that mailflow supports.')
  else remarks.note(`AssociatedAcceptedDomains narrows its sender domains to ${both.join(', ')}.`)
  return both
}

/** Returns addresses and CIDR ranges without duplicates. */
function addressesOf(settings: Settings, remarks: Remarks): string[] {
  const listed = settings.list('SenderIPAddresses')
  return [...new Map(listed.map((text) => [text.toLowerCase(), text])).values()].filter((text) => {
    const [address = '', bits, ...rest] = text.split('/')
    const known = isIP(address) !== 0 && rest.length === 0 && (bits === undefined || /^\d{1,3}$/.test(bits))
    if (!known)
      remarks.note(`SenderIPAddresses "${text}" is not an IP address or a CIDR range and is omitted.`)
    return known
  })
}
