/**
 * Get-InboundConnector. A Partner connector restricts: what it demands and cannot be said here is said aloud. An
 * OnPremises connector grants relay: what cannot be said here is granted to fewer, never to more.
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
    says: 'there are no cross-premises headers here; nothing that a server claims in headers is trusted.',
  },
  {
    setting: 'ScanAndDropRecipients',
    says: 'mail for these recipients is delivered like any other.',
  },
  {
    setting: 'TrustedOrganizations',
    says: 'mail of other Exchange Online organisations is known by address or certificate only.',
  },
  { setting: 'ClientHostNames', says: 'clients are known by address or certificate only.' },
  { setting: 'EFSkipLastIP', says: skipped() },
  { setting: 'EFSkipIPs', says: skipped() },
  { setting: 'EFSkipMailGateway', says: skipped() },
  { setting: 'EFUsers', says: skipped() },
  { setting: 'EFTestMode', says: skipped() },
  { setting: 'DetectSenderIPBySkippingLastIP', says: skipped() },
  { setting: 'DetectSenderIPBySkippingTheseIPs', says: skipped() },
]

function skipped(): string {
  return 'the address that counts is the one that connects (no enhanced filtering).'
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
    remarks.note('TreatMessagesAsInternal is for OnPremises connectors only and is left out.')
  // Whether these are our own domains or the recipients', to narrow a restriction would be to weaken it.
  if (settings.list('AssociatedAcceptedDomains').length > 0)
    remarks.add(
      'Stricter than in Exchange',
      'AssociatedAcceptedDomains is not carried over: it applies to all its sender domains.',
    )
  const senderDomains = domainPatterns('SenderDomains', settings, 'Weaker than in Exchange', remarks)
  if (senderDomains.length === 0) remarks.add('Left out', 'it has no sender domain that can be written here.')
  const addresses = addressesOf(settings, remarks)
  const certificate = partnerCertificate(settings, remarks)
  return {
    senderDomains,
    senderIpAddresses: addresses,
    ...certificate,
    ...restrictByAddress(settings, addresses, certificate, remarks),
  }
}

/** Exchange looks at the certificate's name only where it requires TLS, or restricts to that name. */
function partnerCertificate(settings: Settings, remarks: Remarks) {
  const restricts = settings.flag('RestrictDomainsToCertificate') === true
  const requireTls = settings.flag('RequireTls') ?? false
  const names = certificateNames(settings, remarks)
  if (restricts && names.length === 0) {
    remarks.add(
      'Weaker than in Exchange',
      'RestrictDomainsToCertificate names no certificate that can be written here, so TLS is demanded but no certificate. Fill in tlsSenderCertificateNames and set restrictDomainsToCertificate.',
    )
    return { requireTls: true, tlsSenderCertificateNames: [], restrictDomainsToCertificate: false }
  }
  if (restricts && !requireTls)
    remarks.note(
      'RequireTls is false while a certificate is demanded, which only TLS can show; requireTls is true here.',
    )
  if (!restricts && !requireTls && names.length > 0)
    remarks.note('TlsSenderCertificateName had no effect, since RequireTls is false; it is left out.')
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
      'it restricts to a certificate and to addresses, of which one connector here takes one: the certificate is demanded, the addresses are not.',
    )
    return { restrictDomainsToIpAddresses: false }
  }
  if (addresses.length === 0) {
    remarks.add(
      'Weaker than in Exchange',
      'RestrictDomainsToIPAddresses lists no address that can be written here, so no address is demanded. Fill in senderIpAddresses and set restrictDomainsToIpAddresses.',
    )
    return { restrictDomainsToIpAddresses: false }
  }
  return { restrictDomainsToIpAddresses: true }
}

function onPremises(settings: Settings, remarks: Remarks) {
  const restrictions = ['RestrictDomainsToCertificate', 'RestrictDomainsToIPAddresses']
  for (const setting of restrictions)
    if (settings.flag(setting) === true)
      remarks.note(`${setting} has no effect on OnPremises connectors and is left out.`)
  const requireTls = settings.flag('RequireTls') ?? false
  const names = certificateNames(settings, remarks)
  const addresses = addressesOf(settings, remarks)
  const byName = requireTls || addresses.length === 0
  if (names.length > 0 && !requireTls)
    remarks.note(
      byName
        ? 'RequireTls is false, but only TLS can show the certificate that it is known by; requireTls is true here.'
        : 'TlsSenderCertificateName had no effect, since RequireTls is false; its servers are known by their addresses.',
    )
  if (names.length === 0 && addresses.length === 0)
    remarks.add('Left out', 'it names neither an address nor a certificate, and would let anybody relay.')
  const treatMessagesAsInternal = settings.flag('TreatMessagesAsInternal') ?? false
  if (treatMessagesAsInternal) remarks.note('TreatMessagesAsInternal is kept, and has no effect here yet.')
  return {
    senderDomains: narrowed(domainPatterns('SenderDomains', settings, 'Note', remarks), settings, remarks),
    senderIpAddresses: addresses,
    requireTls: requireTls || (names.length > 0 && byName),
    tlsSenderCertificateNames: byName ? names : [],
    treatMessagesAsInternal,
  }
}

/** Only the associated domains among the sender domains: who may relay must not become more. */
function narrowed(senderDomains: string[], settings: Settings, remarks: Remarks): string[] {
  const names = settings.list('AssociatedAcceptedDomains')
  if (names.length === 0) {
    if (senderDomains.length === 0)
      remarks.add('Left out', 'it has no sender domain that can be written here.')
    return senderDomains
  }
  const domains = [...new Set(names.map(normaliseDomain).filter((domain) => domain !== null))]
  const both = domains.filter((domain) =>
    senderDomains.some((pattern) => domainMatchesPattern(domain, pattern)),
  )
  if (both.length === 0)
    remarks.add('Left out', 'AssociatedAcceptedDomains leaves it no sender domain that can be written here.')
  else remarks.note(`AssociatedAcceptedDomains narrows its sender domains to ${both.join(', ')}.`)
  return both
}

/** Single addresses and CIDR ranges, each once. */
function addressesOf(settings: Settings, remarks: Remarks): string[] {
  const listed = settings.list('SenderIPAddresses')
  return [...new Map(listed.map((text) => [text.toLowerCase(), text])).values()].filter((text) => {
    const [address = '', bits, ...rest] = text.split('/')
    const known = isIP(address) !== 0 && rest.length === 0 && (bits === undefined || /^\d{1,3}$/.test(bits))
    if (!known) remarks.note(`SenderIPAddresses "${text}" is not an address or a CIDR range and is left out.`)
    return known
  })
}
