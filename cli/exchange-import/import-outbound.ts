/** Get-OutboundConnector: where mail goes, and what the server there must prove. */
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
    says: 'no cross-premises headers are written; the other server sees mail as it came.',
  },
  { setting: 'SenderRewritingEnabled', says: 'the reverse path leaves as it came (no SRS).' },
  { setting: 'ValidationRecipients', says: 'whoever validates a connector says to whom the test mail goes.' },
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

/** What takes no part in ordinary routing in Exchange must not do so here. */
function isApart(settings: Settings, remarks: Remarks): boolean {
  const byRule = settings.flag('IsTransportRuleScoped') === true
  const test = settings.flag('TestMode') === true
  if (byRule)
    remarks.add(
      'Disabled',
      'IsTransportRuleScoped: transport rules sent mail to it, which do not exist here, and by its domains it would take other mail.',
    )
  if (test) remarks.add('Disabled', 'TestMode: in Exchange no mail goes by it either.')
  return byRule || test
}

function domainsOf(settings: Settings, isOnPremises: boolean, remarks: Remarks) {
  const recipientDomains = domainPatterns('RecipientDomains', settings, 'Weaker than in Exchange', remarks)
  const all = settings.flag('AllAcceptedDomains') === true
  if (all && !isOnPremises)
    remarks.note('AllAcceptedDomains is for OnPremises connectors only and is left out.')
  const allAcceptedDomains = all && isOnPremises
  if (recipientDomains.length === 0 && !allAcceptedDomains)
    remarks.add(
      'Left out',
      `it has no recipient domain${settings.flag('IsTransportRuleScoped') === true ? '; transport rules sent mail to it, which do not exist here' : ' that can be written here'}.`,
    )
  if (settings.flag('RouteAllMessagesViaOnPremises') === true && !recipientDomains.includes('*'))
    remarks.add(
      'Weaker than in Exchange',
      'RouteAllMessagesViaOnPremises is not carried over: only its recipient domains go by this connector. For everything to go there, its recipient domains must have "*".',
    )
  return { recipientDomains, allAcceptedDomains }
}

interface Route {
  readonly route: 'Mx' | 'SmartHosts'
  readonly smartHosts: readonly { host: string; port: number }[]
  /** Mail must not go by it: by MX it would reach other servers than meant. */
  readonly unusable: boolean
}

function routeOf(settings: Settings, remarks: Remarks): Route {
  const given = settings.list('SmartHosts')
  const useMx = settings.flag('UseMXRecord') ?? given.length === 0
  if (useMx) {
    if (given.length > 0)
      remarks.note('SmartHosts had no effect, since UseMXRecord is true; they are left out.')
    return { route: 'Mx', smartHosts: [], unusable: false }
  }
  const smartHosts = given.flatMap((text) => smartHost(text, remarks))
  if (smartHosts.length > 0) return { route: 'SmartHosts', smartHosts, unusable: false }
  remarks.add(
    'Disabled',
    'UseMXRecord is false and no smart host can be written here. Until you fill in smartHosts, set route to SmartHosts and enable it, its mail goes another way, where no TLS may be forced.',
  )
  return { route: 'Mx', smartHosts: [], unusable: true }
}

/** `mail.contoso.com`, `192.0.2.1` or `[192.0.2.1]`. */
function smartHost(text: string, remarks: Remarks): { host: string; port: number }[] {
  const bare = text.replace(/^\[(?:IPv6:)?(.*)\]$/i, '$1')
  const host = isIP(bare) ? bare : normaliseDomain(bare)
  if (host !== null) return [{ host, port: 25 }]
  remarks.note(`SmartHosts "${text}" is not a host name or an IP address and is left out.`)
  return []
}

function tlsOf(settings: Settings, smartHosts: Route['smartHosts'], remarks: Remarks) {
  const level = settings.choice('TlsSettings', tlsLevels)
  const domain = settings.text('TlsDomain')
  // The strongest, since what it says is not known; it may hold mail, but sends none in the clear.
  if (level === 'Unknown') {
    remarks.add(
      'Stricter than in Exchange',
      `TlsSettings "${settings.text('TlsSettings')}" is not known; CertificateValidation is demanded.`,
    )
    return { tlsSettings: 'CertificateValidation', tlsDomain: null }
  }
  if (level !== 'DomainValidation') {
    if (domain !== null)
      remarks.note(`TlsDomain had no effect, since TlsSettings is ${level ?? 'empty'}; it is left out.`)
    return { tlsSettings: level, tlsDomain: null }
  }
  const tlsDomain = domain === null ? onlyHost(smartHosts, remarks) : nameOf(domain, remarks)
  if (tlsDomain !== null) return { tlsSettings: level, tlsDomain }
  remarks.add(
    'Weaker than in Exchange',
    'DomainValidation has no name to look for that can be written here, so only CertificateValidation is demanded. Fill in tlsDomain and set tlsSettings to DomainValidation.',
  )
  return { tlsSettings: 'CertificateValidation', tlsDomain: null }
}

function nameOf(domain: string, remarks: Remarks): string | null {
  const pattern = normaliseDomainPattern(domain)
  if (pattern === '*' || pattern === null) return null
  if (pattern.startsWith('*.'))
    remarks.note(
      `TlsDomain "${pattern}": "*." stands for one label here, so a certificate for ${pattern.slice(2)} itself, or for names that lie deeper, does not do.`,
    )
  return pattern
}

/** Without TlsDomain, the one smart host there is says which name its certificate should have. */
function onlyHost(smartHosts: Route['smartHosts'], remarks: Remarks): string | null {
  const [only, ...others] = smartHosts.filter(({ host }) => isIP(host) === 0)
  if (only === undefined || others.length > 0 || smartHosts.length > 1) return null
  remarks.note(
    `TlsDomain is empty; the name of its only smart host, ${only.host}, is demanded of the certificate.`,
  )
  return only.host
}

/** By MX Exchange enforces what a recipient's domain publishes beside what a connector demands; here it is one of both. */
function remarkOnPublished(settings: Settings, tlsSettings: string | null, remarks: Remarks): void {
  const named = ['SmtpDaneMode', 'MtaStsMode'].filter(
    (setting) => settings.choice(setting, modes) === 'Opportunistic',
  )
  if (named.length === 0 || tlsSettings !== 'EncryptionOnly') return
  remarks.add(
    'Weaker than in Exchange',
    `${named.join(' and ')}: what recipient domains publish by DANE or MTA-STS counts only where tlsSettings is null. Set tlsSettings to null to heed it, or to CertificateValidation or DomainValidation to verify for yourself.`,
  )
}

function modeOf(settings: Settings, setting: string, remarks: Remarks): 'Opportunistic' | 'None' {
  const mode = settings.choice(setting, modes)
  if (mode === 'Unknown')
    remarks.add(
      'Weaker than in Exchange',
      `${setting} "${settings.text(setting)}" cannot be demanded here; it is Opportunistic: TLSA records count where a host has some.`,
    )
  return mode === 'None' ? 'None' : 'Opportunistic'
}
