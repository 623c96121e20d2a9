/** Which outbound connector takes a recipient, and what it demands of the next hop. */
import type { OutboundConnector } from '../connectors/schema.ts'
import type { Route, TlsRequirement } from '../contract/jobs.ts'
import { first, matchesByName, type Snapshot } from './snapshot.ts'

/**
 * Exact domain, then the longest wildcard, then `allAcceptedDomains`, then `*`; then what demands more; then name.
 * For one of our own domains `*` counts only with smart hosts of its own: by MX the mail would come back to us. A
 * connector that only reports takes part where no enforced one matches, so that a trial never weakens what is in
 * force.
 */
export function selectOutbound(snapshot: Snapshot, domain: string): OutboundConnector | null {
  return first(outboundInOrder(snapshot, domain))
}

/** Every connector that could take the domain, in the order in which they are asked; one may come twice. */
export function* outboundInOrder(snapshot: Snapshot, domain: string): Generator<OutboundConnector> {
  const accepted = snapshot.acceptedDomains.has(domain)
  for (const mode of ['Enforce', 'ReportOnly'] as const) {
    const { byDomain, allAcceptedDomains, everyoneBySmartHost } = snapshot.outbound[mode]
    yield* matchesByName(byDomain, domain)
    if (accepted) yield* allAcceptedDomains
    yield* accepted ? everyoneBySmartHost : byDomain.everyone
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

/** What the recipient's domain publishes is heeded; otherwise TLS whenever the next hop offers it. */
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
