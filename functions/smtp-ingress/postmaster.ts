import { domainMatchesPattern } from '../../shared/mail/domain.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'

/**
 * RFC 5321 §4.5.1: `postmaster` without a domain is always taken. It is that of the accepted domain our own name
 * lies in, or else of the first by name; without accepted domains there is nobody to take it to.
 */
export function postmasterAddress(address: string, { acceptedDomains }: Snapshot, hostname: string): string {
  if (address.toLowerCase() !== 'postmaster') return address
  const domains = [...acceptedDomains].sort()
  const ours = domains.find((domain) => domainMatchesPattern(hostname, `*.${domain}`)) ?? domains[0]
  return ours === undefined ? address : `postmaster@${ours}`
}
