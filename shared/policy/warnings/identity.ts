/** Checks whether two OnPremises connectors can identify the same client. */
import type { InboundConnector } from '../../connectors/schema.ts'
import { anyNameMatches } from '../../tls/names.ts'
import { IpRanges } from '../ip-ranges.ts'

export function canIdentifySameClient(one: InboundConnector, other: InboundConnector): boolean {
  const pinned = new Set(one.certificateFingerprints)
  return (
    other.certificateFingerprints.some((fingerprint) => pinned.has(fingerprint)) ||
    anyNameMatches(one.tlsSenderCertificateNames, other.tlsSenderCertificateNames) ||
    containsRangeOf(one, other) ||
    containsRangeOf(other, one)
  )
}

/** Two ranges are nested or disjoint, so they overlap if the address that one is written with is in the other. */
function containsRangeOf(one: InboundConnector, other: InboundConnector): boolean {
  const ranges = new IpRanges(one.senderIpAddresses.map((range) => [range, null]))
  return other.senderIpAddresses.some((range) => ranges.has(range.split('/')[0] as string))
}
