/**
 * Whether a next hop's certificate is one that its TLSA records name (RFC 6698, RFC 7671, RFC 7672 §3). The attack: a
 * certificate of any public authority for the host's name. The defence: only what DNSSEC vouches for counts. Its limit:
 * whoever holds the zone's keys.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { chainsToForServers } from './chain.ts'
import { type CertificateNames, certificateHasName } from './names.ts'
import type { TlsaRecord } from './requirement.ts'

const taUsage = 2
const eeUsage = 3

const digests = new Map([
  [1, { algorithm: 'sha256', digits: 64 }],
  [2, { algorithm: 'sha512', digits: 128 }],
])

/** RFC 7672 §3.1.3: of the usages only these; selector and matching type must be known. */
export function isUsable({ usage, selector, matchingType, data }: TlsaRecord): boolean {
  if (usage !== taUsage && usage !== eeUsage) return false
  if (selector !== 0 && selector !== 1) return false
  if (matchingType === 0) return data.length > 0
  return digests.get(matchingType)?.digits === data.length
}

/**
 * @param records usable ones
 * @param chain as presented, leaf first, base64 DER
 * @param names reference identifiers, which only usage 2 looks at (RFC 7672 §3.2)
 * @param at the instant for which certificates must be valid; usage 3 does not look at dates (RFC 7672 §3.1.1)
 */
export function matchesTlsa(
  records: readonly TlsaRecord[],
  chain: readonly string[],
  certificate: CertificateNames,
  names: readonly string[],
  at: Date,
): boolean {
  const presented = chain.map((der) => new X509Certificate(Buffer.from(der, 'base64')))
  const leaf = presented[0]
  if (leaf === undefined) return false
  if (records.some((record) => record.usage === eeUsage && isNamedBy(leaf, record))) return true
  if (!certificateHasName(certificate, names)) return false
  const anchors = presented.filter((each) =>
    records.some((record) => record.usage === taUsage && isNamedBy(each, record)),
  )
  return anchors.length > 0 && chainsToForServers(chain, anchors.map(String), at)
}

function isNamedBy(certificate: X509Certificate, { selector, matchingType, data }: TlsaRecord): boolean {
  const octets =
    selector === 0 ? certificate.raw : certificate.publicKey.export({ type: 'spki', format: 'der' })
  const digest = digests.get(matchingType)
  const found = digest ? createHash(digest.algorithm).update(octets).digest('hex') : octets.toString('hex')
  return found === data
}
