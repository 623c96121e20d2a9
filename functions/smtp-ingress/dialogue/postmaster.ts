import { domainMatchesPattern } from '../../../shared/mail/domain.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'

/**
 * RFC 5321 §4.5.1: `postmaster` without a domain is always taken. It is that of the accepted domain our own name
 * lies in, or else of the first by name; without accepted domains there is nobody to take it to.
 */
export function postmasterAddress(address: string, snapshot: Snapshot, hostname: string): string {
  if (address.toLowerCase() !== 'postmaster') return address
  const domain = postmasterDomain(snapshot, hostname)
  return domain === null ? address : `postmaster@${domain}`
}

/** Sought once a snapshot, not once a recipient: there may be many of both. */
const found = new WeakMap<Snapshot, string | null>()

function postmasterDomain(snapshot: Snapshot, hostname: string): string | null {
  const known = found.get(snapshot)
  if (known !== undefined) return known
  const domains = [...snapshot.acceptedDomains].sort()
  const ours = domains.find((domain) => domainMatchesPattern(hostname, `*.${domain}`)) ?? domains[0] ?? null
  found.set(snapshot, ours)
  return ours
}
