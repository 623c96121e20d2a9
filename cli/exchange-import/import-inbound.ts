/**
 * Imports the output of Get-InboundConnector. A Partner connector restricts: a requirement that cannot be imported
 * causes a notice. An OnPremises connector grants relay: the import may grant less, never more.
 */
import { isIP } from 'node:net'
import { inboundConnectors } from '../connectors/entry-kinds.ts'
import { domainPatterns } from './address-space.ts'
import {
  commonFields,
  type ImportedObject,
  noticeMissing,
  noticeUnsupported,
  titleOf,
  type UnsupportedSetting,
  validateImport,
} from './connector-common.ts'
import type { ExchangeSettings } from './exchange-settings.ts'
import { NoticeCollector } from './import-notices.ts'
import { disableIfHarmful, narrowDomains, noticeTenantLock, recipientScope } from './inbound-scope.ts'
import { certificateNames } from './sender-certificate-names.ts'

const requirementSettings = ['RequireTls', 'RestrictDomainsToCertificate', 'RestrictDomainsToIPAddresses']

const unsupported: readonly UnsupportedSetting[] = [
  {
    setting: 'CloudServicesMailEnabled',
    text: 'Exchange takes the X-MS-Exchange-Organization-* fields of mail from these servers as its own, so that the mail counts as internal. mailflow trusts no such fields, and passes them on unchanged.',
  },
  {
    setting: 'ScanAndDropRecipients',
    text: 'mail for these recipients is delivered normally.',
  },
  {
    setting: 'TrustedOrganizations',
    text: 'other Exchange Online organisations are identified only by IP address or certificate.',
  },
  { setting: 'ClientHostNames', text: 'clients are identified only by IP address or certificate.' },
  { setting: 'EFSkipLastIP', text: noEnhancedFiltering() },
  { setting: 'EFSkipIPs', text: noEnhancedFiltering() },
  { setting: 'EFSkipMailGateway', text: noEnhancedFiltering() },
  { setting: 'EFUsers', text: noEnhancedFiltering() },
  { setting: 'EFTestMode', text: noEnhancedFiltering() },
  { setting: 'DetectSenderIPBySkippingLastIP', text: noEnhancedFiltering() },
  { setting: 'DetectSenderIPBySkippingTheseIPs', text: noEnhancedFiltering() },
]

function noEnhancedFiltering(): string {
  return 'only the IP address of the client is evaluated (no enhanced filtering).'
}

export function importInbound(settings: ExchangeSettings): ImportedObject {
  const collector = new NoticeCollector(titleOf('inbound connector', settings))
  const common = commonFields(settings, collector)
  const fields = {
    ...common,
    ...(common.connectorType === 'OnPremises'
      ? onPremises(settings, collector)
      : partner(settings, collector)),
  }
  noticeMissing(settings, requirementSettings, collector)
  noticeUnsupported(settings, unsupported, collector)
  return validateImport(inboundConnectors, disableIfHarmful(fields, collector), collector)
}

function partner(settings: ExchangeSettings, collector: NoticeCollector) {
  if (settings.flag('TreatMessagesAsInternal') === true)
    collector.note('TreatMessagesAsInternal is only for OnPremises connectors and is omitted.')
  const senderDomains = domainPatterns('SenderDomains', settings, 'Weaker than in Exchange', collector)
  if (senderDomains.length === 0) collector.add('Left out', 'it has no sender domain that mailflow supports.')
  const addresses = parseAddresses(settings, collector)
  const certificate = partnerCertificate(settings, collector)
  const fields = {
    senderDomains,
    senderIpAddresses: addresses,
    ...certificate,
    ...restrictByAddress(settings, addresses, certificate, collector),
    associatedAcceptedDomains: recipientScope(settings, collector),
  }
  noticeTenantLock(fields, collector)
  return fields
}

/** Exchange checks the certificate's name only if the connector requires TLS or restricts its domains to that name. */
function partnerCertificate(settings: ExchangeSettings, collector: NoticeCollector) {
  const isRestricted = settings.flag('RestrictDomainsToCertificate') === true
  const requireTls = settings.flag('RequireTls') ?? false
  const isChecked = requireTls || isRestricted
  const names = certificateNames(settings, collector, isChecked ? 'Weaker than in Exchange' : 'Note')
  if (isRestricted && names.length === 0) {
    collector.add(
      'Weaker than in Exchange',
      'RestrictDomainsToCertificate names no certificate that mailflow supports, so TLS is required, but no certificate. Set tlsSenderCertificateNames and restrictDomainsToCertificate.',
    )
    return { requireTls: true, tlsSenderCertificateNames: [], restrictDomainsToCertificate: false }
  }
  if (isRestricted && !requireTls)
    collector.note('RequireTls is false, but the required certificate needs TLS; requireTls is set to true.')
  if (!isRestricted && !requireTls && names.length > 0)
    collector.note('TlsSenderCertificateName had no effect because RequireTls is false; it is omitted.')
  return {
    requireTls: isChecked,
    tlsSenderCertificateNames: isChecked ? names : [],
    restrictDomainsToCertificate: isRestricted,
  }
}

function restrictByAddress(
  settings: ExchangeSettings,
  addresses: readonly string[],
  { restrictDomainsToCertificate }: { restrictDomainsToCertificate: boolean },
  collector: NoticeCollector,
) {
  if (settings.flag('RestrictDomainsToIPAddresses') !== true) return { restrictDomainsToIpAddresses: false }
  if (restrictDomainsToCertificate) {
    collector.add(
      'Weaker than in Exchange',
      'it restricts its domains to a certificate and to IP addresses. A mailflow connector can require only one of the two: the certificate is required, the addresses are not.',
    )
    return { restrictDomainsToIpAddresses: false }
  }
  if (addresses.length === 0) {
    collector.add(
      'Weaker than in Exchange',
      'RestrictDomainsToIPAddresses lists no address that mailflow supports, so no address is required. Set senderIpAddresses and restrictDomainsToIpAddresses.',
    )
    return { restrictDomainsToIpAddresses: false }
  }
  return { restrictDomainsToIpAddresses: true }
}

function onPremises(settings: ExchangeSettings, collector: NoticeCollector) {
  const restrictions = ['RestrictDomainsToCertificate', 'RestrictDomainsToIPAddresses']
  for (const setting of restrictions)
    if (settings.flag(setting) === true)
      collector.note(`${setting} has no effect on OnPremises connectors and is omitted.`)
  const requireTls = settings.flag('RequireTls') ?? false
  const names = certificateNames(settings, collector, 'Note')
  const addresses = parseAddresses(settings, collector)
  const usesNames = requireTls || addresses.length === 0
  if (names.length > 0 && !requireTls)
    collector.note(
      usesNames
        ? 'RequireTls is false, but the certificate that identifies the server needs TLS; requireTls is set to true.'
        : 'TlsSenderCertificateName had no effect because RequireTls is false; the servers are identified by IP address.',
    )
  if (names.length === 0 && addresses.length === 0)
    collector.add('Left out', 'it names neither an IP address nor a certificate, and would be an open relay.')
  const treatMessagesAsInternal = settings.flag('TreatMessagesAsInternal') ?? false
  if (treatMessagesAsInternal)
    collector.note(
      'TreatMessagesAsInternal: mail of these servers is not checked by SPF, DKIM and DMARC, and requireDmarc of other connectors does not apply to it.',
    )
  return {
    senderDomains: narrowDomains(
      domainPatterns('SenderDomains', settings, 'Note', collector),
      settings,
      collector,
    ),
    senderIpAddresses: addresses,
    requireTls: requireTls || (names.length > 0 && usesNames),
    tlsSenderCertificateNames: usesNames ? names : [],
    treatMessagesAsInternal,
  }
}

/** Returns addresses and CIDR ranges without duplicates. */
function parseAddresses(settings: ExchangeSettings, collector: NoticeCollector): string[] {
  const values = settings.list('SenderIPAddresses')
  return [...new Map(values.map((text) => [text.toLowerCase(), text])).values()].filter((text) => {
    const [address = '', bits, ...rest] = text.split('/')
    const isSupported =
      isIP(address) !== 0 && rest.length === 0 && (bits === undefined || /^\d{1,3}$/.test(bits))
    if (!isSupported)
      collector.note(`SenderIPAddresses "${text}" is omitted: it is neither an IP address nor a CIDR range.`)
    return isSupported
  })
}
