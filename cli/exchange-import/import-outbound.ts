/** Imports the output of Get-OutboundConnector: the route and its TLS requirement. */
import { isIP } from 'node:net'
import { normaliseDomain, normaliseDomainPattern } from '../../shared/mail/domain.ts'
import { outboundConnectors } from '../connectors/entry-kinds.ts'
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

/** Names and numbers of Exchange's enumeration TlsAuthLevel. */
const tlsLevels = { EncryptionOnly: 1, CertificateValidation: 2, DomainValidation: 4 } as const
/** Exchange Online exports names. Numbers are not documented, and a wrong guess could turn off DANE or MTA-STS. */
const modes = { Opportunistic: null, None: null, Mandatory: null } as const

/** Names of Exchange's enumeration TenantConnectorSource. */
const sources = { Default: null, Migrated: null, HybridWizard: null } as const

const unsupported: readonly UnsupportedSetting[] = [
  {
    setting: 'CloudServicesMailEnabled',
    text: 'Exchange adds X-MS-Exchange-CrossPremises-* fields, so that the next hop takes the mail as internal. mailflow does not add them.',
  },
  { setting: 'SenderRewritingEnabled', text: 'the reverse path is not rewritten (no SRS).' },
  {
    setting: 'ValidationRecipients',
    text: 'give the recipient when you validate the connector: connectors validate --to ADDRESS.',
  },
]

export function importOutbound(settings: ExchangeSettings): ImportedObject {
  const collector = new NoticeCollector(titleOf('outbound connector', settings))
  const common = commonFields(settings, collector)
  const { isUnusable, ...route } = routeOf(settings, collector)
  const isExcluded = isExcludedFromRouting(settings, collector)
  const tls = tlsOf(settings, route.smartHosts, collector)
  const fields = {
    ...common,
    ...domainsOf(settings, common.connectorType === 'OnPremises', collector),
    ...route,
    ...tls,
    smtpDaneMode: parseMode(settings, 'SmtpDaneMode', noTlsaReason(route), collector),
    mtaStsMode: parseMode(settings, 'MtaStsMode', noMtaStsReason(route), collector),
    enabled: common.enabled && !isUnusable && !isExcluded,
  }
  if (fields.enabled && route.route === 'Mx') noticePublishedPolicies(settings, tls.tlsSettings, collector)
  for (const setting of ['IsValidated', 'LastValidationTimestamp']) settings.text(setting)
  noticeMissing(settings, ['TlsSettings'], collector)
  noticeUnsupported(settings, unsupported, collector)
  return validateImport(outboundConnectors, fields, collector)
}

/**
 * Returns whether Exchange excludes the connector from normal routing, or it concerns mail that does not pass the
 * gateway.
 */
function isExcludedFromRouting(settings: ExchangeSettings, collector: NoticeCollector): boolean {
  const isRuleScoped = settings.flag('IsTransportRuleScoped') === true
  const isTest = settings.flag('TestMode') === true
  if (isRuleScoped)
    collector.add(
      'Disabled',
      'IsTransportRuleScoped: only transport rules used this connector. Mailflow has none, so the connector would apply to all mail to its domains.',
    )
  if (isTest) collector.add('Disabled', 'TestMode: Exchange sends no mail through this connector either.')
  const isHybrid = settings.choice('ConnectorSource', sources) === 'HybridWizard'
  if (isHybrid)
    collector.add(
      'Disabled',
      'ConnectorSource HybridWizard: it is for mail from the tenant to your Exchange servers. Enabled, it would take mail for its domains away from the tenant. Enable it if the gateway itself delivers to these servers.',
    )
  return isRuleScoped || isTest || isHybrid
}

function domainsOf(settings: ExchangeSettings, isOnPremises: boolean, collector: NoticeCollector) {
  const recipientDomains = domainPatterns('RecipientDomains', settings, 'Weaker than in Exchange', collector)
  const all = settings.flag('AllAcceptedDomains') === true
  if (all && !isOnPremises)
    collector.note('AllAcceptedDomains is only for OnPremises connectors and is omitted.')
  const allAcceptedDomains = all && isOnPremises
  if (recipientDomains.length === 0 && !allAcceptedDomains)
    collector.add(
      'Left out',
      `it has no recipient domain${settings.flag('IsTransportRuleScoped') === true ? '; only transport rules used it, and mailflow has no transport rules' : ' that mailflow supports'}.`,
    )
  if (settings.flag('RouteAllMessagesViaOnPremises') === true && !recipientDomains.includes('*'))
    collector.add(
      'Weaker than in Exchange',
      'RouteAllMessagesViaOnPremises is not imported: this connector is used only for mail to its recipient domains. To use it for all mail, add "*" to them.',
    )
  return { recipientDomains, allAcceptedDomains }
}

interface Route {
  readonly route: 'Mx' | 'SmartHosts'
  readonly smartHosts: readonly { host: string; port: number }[]
  /** True when the connector must stay disabled: delivery by MX lookup would reach the wrong servers. */
  readonly isUnusable: boolean
}

function routeOf(settings: ExchangeSettings, collector: NoticeCollector): Route {
  const values = settings.list('SmartHosts')
  const useMx = settings.flag('UseMXRecord') ?? values.length === 0
  if (useMx) {
    if (values.length > 0)
      collector.note('SmartHosts had no effect because UseMXRecord is true; they are omitted.')
    return { route: 'Mx', smartHosts: [], isUnusable: false }
  }
  const smartHosts = values.flatMap((text) => smartHost(text, collector))
  if (smartHosts.length > 0) return { route: 'SmartHosts', smartHosts, isUnusable: false }
  collector.add(
    'Disabled',
    'UseMXRecord is false and mailflow supports none of the smart hosts. Set smartHosts, set route to SmartHosts and enable the connector; until then its mail takes another route, perhaps without forced TLS.',
  )
  return { route: 'Mx', smartHosts: [], isUnusable: true }
}

/** `mail.contoso.com`, `192.0.2.1` or `[192.0.2.1]`. */
function smartHost(text: string, collector: NoticeCollector): { host: string; port: number }[] {
  const bare = text.replace(/^\[(?:IPv6:)?(.*)\]$/i, '$1')
  const host = isIP(bare) ? bare : normaliseDomain(bare)
  if (host !== null) return [{ host, port: 25 }]
  collector.note(`SmartHosts "${text}" is omitted: it is neither a host name nor an IP address.`)
  return []
}

function tlsOf(settings: ExchangeSettings, smartHosts: Route['smartHosts'], collector: NoticeCollector) {
  const level = settings.choice('TlsSettings', tlsLevels)
  const domain = settings.text('TlsDomain')
  // An unknown level becomes CertificateValidation, which may defer mail, but sends none in the clear.
  if (level === 'Unknown') {
    collector.add(
      'Stricter than in Exchange',
      `TlsSettings "${settings.text('TlsSettings')}" is unknown; CertificateValidation is required.`,
    )
    return { tlsSettings: 'CertificateValidation', tlsDomain: null }
  }
  if (level !== 'DomainValidation') {
    if (domain !== null)
      collector.note(`TlsDomain had no effect because TlsSettings is ${level ?? 'empty'}; it is omitted.`)
    return { tlsSettings: level, tlsDomain: null }
  }
  const tlsDomain = domain === null ? singleSmartHost(smartHosts, collector) : nameOf(domain, collector)
  if (tlsDomain !== null) return { tlsSettings: level, tlsDomain }
  collector.add(
    'Weaker than in Exchange',
    'DomainValidation has no name that mailflow supports, so only CertificateValidation is required. Set tlsDomain, and set tlsSettings to DomainValidation.',
  )
  return { tlsSettings: 'CertificateValidation', tlsDomain: null }
}

function nameOf(domain: string, collector: NoticeCollector): string | null {
  const pattern = normaliseDomainPattern(domain)
  if (pattern === '*' || pattern === null) return null
  if (pattern.startsWith('*.'))
    collector.note(
      `TlsDomain "${pattern}": in mailflow "*." matches one label, so it does not match a certificate for ${pattern.slice(2)} itself or for deeper subdomains.`,
    )
  return pattern
}

/** Without TlsDomain, a single smart host provides the certificate's name. */
function singleSmartHost(smartHosts: Route['smartHosts'], collector: NoticeCollector): string | null {
  const [namedHost, ...others] = smartHosts.filter(({ host }) => isIP(host) === 0)
  if (namedHost === undefined || others.length > 0 || smartHosts.length > 1) return null
  collector.note(
    `TlsDomain is empty; the certificate must have the name of the only smart host, ${namedHost.host}.`,
  )
  return namedHost.host
}

/**
 * With MX lookup, Exchange enforces DANE and MTA-STS in addition to the connector's tlsSettings; mailflow enforces them
 * only when tlsSettings is null. With EncryptionOnly, the imported connector is therefore weaker.
 */
function noticePublishedPolicies(
  settings: ExchangeSettings,
  tlsSettings: string | null,
  collector: NoticeCollector,
): void {
  const enabledModes = ['SmtpDaneMode', 'MtaStsMode'].filter(
    (setting) => settings.choice(setting, modes) === 'Opportunistic',
  )
  if (enabledModes.length === 0 || tlsSettings !== 'EncryptionOnly') return
  collector.add(
    'Weaker than in Exchange',
    `${enabledModes.join(' and ')}: DANE and MTA-STS of recipient domains apply only if tlsSettings is null. Set tlsSettings to null to use them, or to CertificateValidation or DomainValidation to verify certificates.`,
  )
}

type Hosts = Pick<Route, 'route' | 'smartHosts'>

const noTlsaReason = ({ smartHosts }: Hosts): string | null =>
  smartHosts.some(({ host }) => isIP(host) !== 0)
    ? 'a smart host that is an IP address has no TLSA records'
    : null

const noMtaStsReason = ({ route }: Hosts): string | null =>
  route === 'SmartHosts' ? 'no MTA-STS policy applies to smart hosts' : null

/** @param impossible why no next hop of the route can meet Mandatory; null if it can */
function parseMode(
  settings: ExchangeSettings,
  setting: string,
  impossible: string | null,
  collector: NoticeCollector,
): 'Opportunistic' | 'Mandatory' | 'None' {
  const mode = settings.choice(setting, modes)
  const reason = mode === 'Unknown' ? 'it is not supported' : mode === 'Mandatory' ? impossible : null
  if (reason !== null) {
    collector.add(
      'Weaker than in Exchange',
      `${setting} "${settings.text(setting)}": ${reason}; it is imported as Opportunistic: only published policies apply.`,
    )
    return 'Opportunistic'
  }
  return mode === 'None' || mode === 'Mandatory' ? mode : 'Opportunistic'
}
