import { domainMatchesPattern } from '../../../shared/mail/domain.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'

/**
 * RFC 5321 §4.5.1: `postmaster` without a domain must be accepted. Its domain is the accepted domain that contains the
 * ingress's hostname, otherwise the first in alphabetical order. Without accepted domains the address stays incomplete.
 */
export function postmasterAddress(address: string, snapshot: Snapshot, hostname: string): string {
  if (address.toLowerCase() !== 'postmaster') return address
  const domain = postmasterDomain(snapshot, hostname)
  return domain === null ? address : `postmaster@${domain}`
}

/** Searched once for each snapshot: there may be many recipients and many domains. */
const postmasterDomains = new WeakMap<Snapshot, string | null>()

function postmasterDomain(snapshot: Snapshot, hostname: string): string | null {
  const cached = postmasterDomains.get(snapshot)
  if (cached !== undefined) return cached
  const domains = [...snapshot.acceptedDomains].sort()
  const selectedDomain =
    domains.find((domain) => domainMatchesPattern(hostname, `*.${domain}`)) ?? domains[0] ?? null
  postmasterDomains.set(snapshot, selectedDomain)
  return selectedDomain
}
