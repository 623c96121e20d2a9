/** Selects the outbound connector for a recipient, and its requirement for the next hop. */
import type { OutboundConnector } from '../connectors/schema.ts'
import type { Route, TlsRequirement } from '../contract/jobs.ts'
import { firstOrNull, matchesExceptCatchAll, type Snapshot } from './snapshot.ts'

/**
 * Order: exact domain, the longest wildcard, `allAcceptedDomains`, `*`; then the most requirements; then name. For an
 * accepted domain `*` applies only with smart hosts, because an MX lookup would lead back to mailflow. A report-only
 * connector is selected only where no enforced one matches, so that it never weakens an enforced requirement.
 */
export function selectOutbound(snapshot: Snapshot, domain: string): OutboundConnector | null {
  return firstOrNull(outboundByPrecedence(snapshot, domain))
}

/** Every connector that matches the domain, in order of precedence. A connector may occur twice. */
export function* outboundByPrecedence(snapshot: Snapshot, domain: string): Generator<OutboundConnector> {
  const accepted = snapshot.acceptedDomains.has(domain)
  for (const mode of ['Enforce', 'ReportOnly'] as const) {
    const { byDomain, allAcceptedDomains, catchAllBySmartHost } = snapshot.outbound[mode]
    yield* matchesExceptCatchAll(byDomain, domain)
    if (accepted) yield* allAcceptedDomains
    yield* accepted ? catchAllBySmartHost : byDomain.catchAll
  }
}

export function routeOf(connector: OutboundConnector, domain: string): Route {
  switch (connector.route) {
    case 'Mx':
      return { kind: 'Mx', domain }
    case 'Ses':
      return { kind: 'Ses' }
    case 'SmartHosts':
      return { kind: 'SmartHosts', hosts: connector.smartHosts }
  }
}

export function requirementOf(connector: OutboundConnector): TlsRequirement {
  return {
    level: connector.tlsSettings ?? 'Opportunistic',
    mode: connector.mode,
    tlsDomain: connector.tlsDomain,
    certificateAuthorities: connector.certificateAuthorities,
    minimumTlsVersion: connector.minimumTlsVersion,
    smtpDaneMode: connector.smtpDaneMode,
    mtaStsMode: connector.mtaStsMode,
    revocationCheck: connector.revocationCheck,
    clientCertificate: connector.clientCertificate,
  }
}

/** Follows the policies that the recipient's domain publishes; otherwise uses TLS whenever the next hop offers it. */
export const opportunistic: TlsRequirement = {
  level: 'Opportunistic',
  mode: 'Enforce',
  tlsDomain: null,
  certificateAuthorities: [],
  minimumTlsVersion: 'TLSv1.2',
  smtpDaneMode: 'Opportunistic',
  mtaStsMode: 'Opportunistic',
  revocationCheck: 'None',
  clientCertificate: null,
}
