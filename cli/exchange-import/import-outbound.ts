/** Imports the output of Get-OutboundConnector: the route and its TLS requirement. */
import { isIP } from 'node:net'
import { normaliseDomain, normaliseDomainPattern } from '../../shared/mail/domain.ts'
import { outboundConnectors } from '../connectors/kinds.ts'
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

/** TlsAuthLevel */
const tlsLevels = { EncryptionOnly: 1, CertificateValidation: 2, DomainValidation: 4 } as const
const modes = { Opportunistic: 0, None: 1 } as const

const uncarried: readonly Uncarried[] = [
  {
    setting: 'CloudServicesMailEnabled',
    says: 'mailflow writes no cross-premises headers.',
  },
  { setting: 'SenderRewritingEnabled', says: 'the reverse path is not rewritten (no SRS).' },
  {
    setting: 'ValidationRecipients',
    says: 'give the recipient when you validate the connector: connectors validate --to ADDRESS.',
  },
]

export function importOutbound(settings: Settings): Imported {
  const remarks = new Remarks(titleOf('outbound connector', settings))
  const common = commonFields(settings, remarks)
  const { unusable, ...route } = routeOf(settings, remarks)
  const apart = isApart(settings, remarks)
  const tls = tlsOf(settings, route.smartHosts, remarks)
  const fields = {
    ...common,
    ...domainsOf(settings, common.connectorType === 'OnPremises', remarks),
    ...route,
    ...tls,
    smtpDaneMode: modeOf(settings, 'SmtpDaneMode', remarks),
    mtaStsMode: modeOf(settings, 'MtaStsMode', remarks),
    enabled: common.enabled && !unusable && !apart,
  }
  if (fields.enabled && route.route === 'Mx') remarkOnPublished(settings, tls.tlsSettings, remarks)
  for (const setting of ['IsValidated', 'LastValidationTimestamp']) settings.text(setting)
  remarkOnMissing(settings, ['TlsSettings'], remarks)
  remarkOnRest(settings, uncarried, remarks)
  return checked(outboundConnectors, fields, remarks)
}

/** Returns whether Exchange excludes the connector from normal routing; mailflow must not use it either. */
function isApart(settings: Settings, remarks: Remarks): boolean {
  const byRule = settings.flag('IsTransportRuleScoped') === true
  const test = settings.flag('TestMode') === true
  if (byRule)
    remarks.add(
      'Disabled',
      'IsTransportRuleScoped: only transport rules sent mail by it; mailflow has no transport rules, and its domains would select other mail.',
    )
  if (test) remarks.add('Disabled', 'TestMode: Exchange sends no mail by it either.')
  return byRule || test
}

function domainsOf(settings: Settings, isOnPremises: boolean, remarks: Remarks) {
  const recipientDomains = domainPatterns('RecipientDomains', settings, 'Weaker than in Exchange', remarks)
  const all = settings.flag('AllAcceptedDomains') === true
  if (all && !isOnPremises)
    remarks.note('AllAcceptedDomains is only for OnPremises connectors and is omitted.')
  const allAcceptedDomains = all && isOnPremises
  if (recipientDomains.length === 0 && !allAcceptedDomains)
    remarks.add(
      'Left out',
      `it has no recipient domain${settings.flag('IsTransportRuleScoped') === true ? '; only transport rules sent mail by it, and mailflow has no transport rules' : ' that mailflow supports'}.`,
    )
  if (settings.flag('RouteAllMessagesViaOnPremises') === true && !recipientDomains.includes('*'))
    remarks.add(
      'Weaker than in Exchange',
      'RouteAllMessagesViaOnPremises is not imported: only mail to its recipient domains uses this connector. To send all mail by it, add "*" to its recipient domains.',
    )
  return { recipientDomains, allAcceptedDomains }
}

interface Route {
  readonly route: 'Mx' | 'SmartHosts'
  readonly smartHosts: readonly { host: string; port: number }[]
  /** The connector must stay disabled: by MX, mail would reach the wrong servers. */
  readonly unusable: boolean
}

function routeOf(settings: Settings, remarks: Remarks): Route {
  const given = settings.list('SmartHosts')
  const useMx = settings.flag('UseMXRecord') ?? given.length === 0
  if (useMx) {
    if (given.length > 0)
      remarks.note('SmartHosts had no effect because UseMXRecord is true; they are omitted.')
    return { route: 'Mx', smartHosts: [], unusable: false }
  }
  const smartHosts = given.flatMap((text) => smartHost(text, remarks))
  if (smartHosts.length > 0) return { route: 'SmartHosts', smartHosts, unusable: false }
  remarks.add(
    'Disabled',
    'UseMXRecord is false and mailflow supports none of its smart hosts. Set smartHosts, set route to SmartHosts and enable it; until then its mail takes another route, perhaps without forced TLS.',
  )
  return { route: 'Mx', smartHosts: [], unusable: true }
}

/** `mail.contoso.com`, `192.0.2.1` or `[192.0.2.1]`. */
function smartHost(text: string, remarks: Remarks): { host: string; port: number }[] {
  const bare = text.replace(/^\[(?:IPv6:)?(.*)\]$/i, '$1')
  const host = isIP(bare) ? bare : normaliseDomain(bare)
  if (host !== null) return [{ host, port: 25 }]
  remarks.note(`SmartHosts "${text}" is not a host name or an IP address and is omitted.`)
  return []
}

function tlsOf(settings: Settings, smartHosts: Route['smartHosts'], remarks: Remarks) {
  const level = settings.choice('TlsSettings', tlsLevels)
  const domain = settings.text('TlsDomain')
  // An unknown level becomes a strict one: it may defer mail, but sends none in the clear.
  if (level === 'Unknown') {
    remarks.add(
      'Stricter than in Exchange',
      `TlsSettings "${settings.text('TlsSettings')}" is unknown; CertificateValidation is required.`,
    )
    return { tlsSettings: 'CertificateValidation', tlsDomain: null }
  }
  if (level !== 'DomainValidation') {
    if (domain !== null)
      remarks.note(`TlsDomain had no effect because TlsSettings is ${level ?? 'empty'}; it is omitted.`)
    return { tlsSettings: level, tlsDomain: null }
  }
  const tlsDomain = domain === null ? onlyHost(smartHosts, remarks) : nameOf(domain, remarks)
  if (tlsDomain !== null) return { tlsSettings: level, tlsDomain }
  remarks.add(
    'Weaker than in Exchange',
    'DomainValidation has no name that mailflow supports, so only CertificateValidation is required. Set tlsDomain, and set tlsSettings to DomainValidation.',
  )
  return { tlsSettings: 'CertificateValidation', tlsDomain: null }
}

function nameOf(domain: string, remarks: Remarks): string | null {
  const pattern = normaliseDomainPattern(domain)
  if (pattern === '*' || pattern === null) return null
  if (pattern.startsWith('*.'))
    remarks.note(
      `TlsDomain "${pattern}": "*." matches one label here, so it does not match a certificate for ${pattern.slice(2)} itself or for deeper subdomains.`,
    )
  return pattern
}

/** Without TlsDomain, a single smart host provides the certificate's name. */
function onlyHost(smartHosts: Route['smartHosts'], remarks: Remarks): string | null {
  const [only, ...others] = smartHosts.filter(({ host }) => isIP(host) === 0)
  if (only === undefined || others.length > 0 || smartHosts.length > 1) return null
  remarks.note(`TlsDomain is empty; the certificate must have the name of its only smart host, ${only.host}.`)
  return only.host
}

/** By MX, Exchange enforces DANE and MTA-STS in addition to the connector; mailflow enforces only one of them. */
function remarkOnPublished(settings: Settings, tlsSettings: string | null, remarks: Remarks): void {
  const named = ['SmtpDaneMode', 'MtaStsMode'].filter(
    (setting) => settings.choice(setting, modes) === 'Opportunistic',
  )
  if (named.length === 0 || tlsSettings !== 'EncryptionOnly') return
  remarks.add(
    'Weaker than in Exchange',
    `${named.join(' and ')}: DANE and MTA-STS of recipient domains apply only if tlsSettings is null. Set tlsSettings to null to use them, or to CertificateValidation or DomainValidation to verify certificates.`,
  )
}

function modeOf(settings: Settings, setting: string, remarks: Remarks): 'Opportunistic' | 'None' {
  const mode = settings.choice(setting, modes)
  if (mode === 'Unknown')
    remarks.add(
      'Weaker than in Exchange',
      `${setting} "${settings.text(setting)}" is not supported; it is imported as Opportunistic: TLSA records apply if a host has them.`,
    )
  return mode === 'None' ? 'None' : 'Opportunistic'
}
