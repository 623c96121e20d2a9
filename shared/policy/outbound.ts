/** Which outbound connector takes a recipient, and what it demands of the next hop. */
import type { OutboundConnector } from '../connectors/schema.ts'
import type { Route, TlsRequirement } from '../contract/jobs.ts'
import { matchesByDomain, type Snapshot } from './snapshot.ts'

/**
 * Exact domain, then the longest wildcard, then `allAcceptedDomains`, then `*`; then name. For one of our own
 * domains `*` counts only with smart hosts of its own: by MX the mail would come back to us.
 */
export function selectOutbound(snapshot: Snapshot, domain: string): OutboundConnector | null {
  const accepted = snapshot.acceptedDomains.has(domain)
  const specific = matchesByDomain({ ...snapshot.outbound, everyone: [] }, domain).next().value
  if (specific) return specific
  if (!accepted) return snapshot.outbound.everyone[0] ?? null
  return (
    snapshot.allAcceptedDomains[0] ??
    snapshot.outbound.everyone.find(({ route }) => route === 'SmartHosts') ??
    null
  )
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
  }
}

/** TLS whenever the next hop offers it, whatever its certificate; in the clear where it offers none. */
export const opportunistic: TlsRequirement = {
  level: 'Opportunistic',
  mode: 'Enforce',
  tlsDomain: null,
  certificateAuthorities: [],
  minimumTlsVersion: 'TLSv1.2',
}
