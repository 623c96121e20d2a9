/** Checks whether two OnPremises connectors can identify the same client. */

import { IpRanges } from '../../connectors/ip-ranges.ts'
import type { InboundConnector } from '../../connectors/schema.ts'
import { anyNameMatches } from '../../tls/names.ts'

export function canIdentifySameClient(first: InboundConnector, second: InboundConnector): boolean {
  const pinnedFingerprints = new Set(first.certificateFingerprints)
  return (
    second.certificateFingerprints.some((fingerprint) => pinnedFingerprints.has(fingerprint)) ||
    anyNameMatches(first.tlsSenderCertificateNames, second.tlsSenderCertificateNames) ||
    containsRangeOf(first, second) ||
    containsRangeOf(second, first)
  )
}

/**
 * True when a range of the first connector contains the address before the `/` of a range of the second. Two ranges are
 * nested or disjoint, so a check in both directions finds every overlap.
 */
function containsRangeOf(first: InboundConnector, second: InboundConnector): boolean {
  const ranges = new IpRanges(first.senderIpAddresses.map((range) => [range, null]))
  return second.senderIpAddresses.some((range) => ranges.has(range.split('/')[0] as string))
}
