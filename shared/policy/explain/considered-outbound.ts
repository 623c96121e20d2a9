/** Lists the outbound connectors considered for a recipient, from the indexes that the decision uses. */
import type { OutboundConnector } from '../../connectors/schema.ts'
import { outboundByPrecedence, selectOutbound } from '../outbound.ts'
import { matchesByDomain, type Snapshot } from '../snapshot.ts'
import { firstNames } from '../text-lists.ts'
import {
  type Considered,
  disabledFinding,
  distinctConnectors,
  type Finding,
  identityOf,
} from './considered.ts'
import { outboundOrder, outrankedFinding, patternOf } from './precedence.ts'

/** @param maxConnectors maximum length of the list */
export function consideredOutbound(snapshot: Snapshot, domain: string, maxConnectors: number): Considered[] {
  const accepted = snapshot.acceptedDomains.has(domain)
  const winner = selectOutbound(snapshot, domain)
  return distinctConnectors(outboundCandidates(snapshot, domain), maxConnectors, []).map((connector) => ({
    direction: 'Outbound',
    ...identityOf(connector),
    pattern: patternOf(connector, domain, accepted),
    ...outboundFinding(connector, winner, domain, accepted),
  }))
}

function* outboundCandidates(snapshot: Snapshot, domain: string): Generator<OutboundConnector> {
  yield* outboundByPrecedence(snapshot, domain)
  for (const mode of ['Enforce', 'ReportOnly'] as const) yield* snapshot.outbound[mode].byDomain.catchAll
  const { byDomain, allAcceptedDomains } = snapshot.disabled.outbound
  yield* matchesByDomain(byDomain, domain)
  if (snapshot.acceptedDomains.has(domain)) yield* allAcceptedDomains
}

function outboundFinding(
  connector: OutboundConnector,
  winner: OutboundConnector | null,
  domain: string,
  accepted: boolean,
): Finding {
  if (!connector.enabled) return disabledFinding
  if (causesLoop(connector, domain, accepted))
    return {
      outcome: 'NotApplicable',
      why: `${domain} is an accepted domain, and without smart hosts this connector would cause a mail loop to mailflow.`,
    }
  if (winner !== null && connector.id !== winner.id) {
    if (connector.mode !== winner.mode)
      return { outcome: 'Outranked', why: `"${winner.name}" is enforced, and this connector only reports.` }
    return outrankedFinding(winner, connector, domain, (compared) =>
      outboundOrder(compared, domain, accepted),
    )
  }
  const why = `It applies to mail for ${domain}: ${routeText(connector)}; ${tlsText(connector)}.`
  return { outcome: connector.mode === 'Enforce' ? 'Decides' : 'Reports', why }
}

const causesLoop = (connector: OutboundConnector, domain: string, accepted: boolean): boolean =>
  accepted && connector.route !== 'SmartHosts' && patternOf(connector, domain, accepted) === '*'

function routeText({ route, smartHosts }: OutboundConnector): string {
  if (route === 'Mx') return 'sent by MX lookup'
  if (route === 'Ses') return 'through Amazon SES'
  const hosts = smartHosts.map(({ host, port }) => `${host}:${port}`)
  return `through ${hosts.length === 1 ? 'smart host' : 'smart hosts'} ${firstNames(hosts, 5)}`
}

function tlsText(connector: OutboundConnector): string {
  const { tlsSettings, tlsDomain, minimumTlsVersion, revocationCheck, mode } = connector
  const reportOnlyText = mode === 'ReportOnly' ? 'only recorded: ' : ''
  const policies = mandatoryPolicyTexts(connector)
  if (tlsSettings === null)
    return policies.length > 0 ? `${reportOnlyText}${policies.join(' and ')}` : 'opportunistic TLS'
  const name = tlsDomain === null ? '' : `, the certificate must be for ${tlsDomain}`
  const isDefault = revocationCheck === 'SoftFail' || tlsSettings === 'EncryptionOnly'
  const revocation = isDefault ? '' : `; revocationCheck ${revocationCheck}`
  const requirements = [`${tlsSettings}${name}`, ...policies].join(' and ')
  return `${reportOnlyText}${requirements}; ${minimumTlsVersion} or later${revocation}`
}

const mandatoryPolicyTexts = ({ smtpDaneMode, mtaStsMode }: OutboundConnector): string[] => [
  ...(smtpDaneMode === 'Mandatory'
    ? ['matching TLSA records that DNSSEC proves (smtpDaneMode Mandatory)']
    : []),
  ...(mtaStsMode === 'Mandatory' ? ['an MTA-STS policy in mode enforce (mtaStsMode Mandatory)'] : []),
]
