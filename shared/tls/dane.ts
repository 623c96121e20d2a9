/**
 * Whether a next hop's certificate is one that its TLSA records name (RFC 6698, RFC 7671, RFC 7672 §3). The attack: a
 * certificate of any public authority for the host's name; or records and a chain so many that judging them takes all
 * day. The defence: only what DNSSEC vouches for counts; each certificate is digested once, and few bare keys are
 * tried. Its limit: whoever holds the zone's keys.
 */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { allowsServerAuth, chainsToForServers } from './chain.ts'
import { type CertificateNames, certificateHasName } from './names.ts'
import type { TlsaRecord } from './requirement.ts'

const taUsage = 2
const eeUsage = 3
const wholeCertificate = 0
const publicKeyOnly = 1
const full = 0

/** By matching type, the weaker first (RFC 7671 §9). */
const digests = new Map([
  [1, { algorithm: 'sha256', digits: 64 }],
  [2, { algorithm: 'sha512', digits: 128 }],
])

/** Bare keys that a chain is tried against, each at the cost of a signature for each certificate. */
const mostKeys = 8

/**
 * RFC 7672 §3.1.3: of the usages only these; selector and matching type must be known, and the data be what they say it
 * is.
 */
export function isUsable({ usage, selector, matchingType, data }: TlsaRecord): boolean {
  if (usage !== taUsage && usage !== eeUsage) return false
  if (selector !== wholeCertificate && selector !== publicKeyOnly) return false
  if (matchingType !== full) return digests.get(matchingType)?.digits === data.length
  return (selector === wholeCertificate ? readCertificate(data) : readKey(data)) !== null
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
  const [leaf] = presented
  if (leaf === undefined) return false
  const strongest = withoutWeakerDigests(records)
  if (isNamedBy(leaf, associations(strongest, eeUsage))) return true
  if (!certificateHasName(certificate, names)) return false
  const anchors = anchorsFor([leaf, ...presented.slice(1)], strongest)
  return anchors.length > 0 && chainsToForServers(chain, anchors.map(String), at)
}

/**
 * RFC 7671 §9: whoever publishes the stronger digest of a certificate means nobody to be content with the weaker, for
 * which he might one day find another certificate. Full data are no digest.
 */
function withoutWeakerDigests(records: readonly TlsaRecord[]): readonly TlsaRecord[] {
  const strongest = new Map<string, number>()
  const kind = ({ usage, selector }: TlsaRecord) => `${usage} ${selector}`
  for (const record of records)
    strongest.set(kind(record), Math.max(strongest.get(kind(record)) ?? full, record.matchingType))
  return records.filter(
    (record) => record.matchingType === full || record.matchingType === strongest.get(kind(record)),
  )
}

/** Each as `selector matchingType data`. */
function associations(records: readonly TlsaRecord[], wanted: number): ReadonlySet<string> {
  return new Set(
    records
      .filter(({ usage }) => usage === wanted)
      .map(({ selector, matchingType, data }) => `${selector} ${matchingType} ${data}`),
  )
}

function isNamedBy(certificate: X509Certificate, named: ReadonlySet<string>): boolean {
  return named.size > 0 && associationsOf(certificate).some((association) => named.has(association))
}

/** Every association that a record could name the certificate by. */
function associationsOf(certificate: X509Certificate): string[] {
  const selected: [number, Buffer | null][] = [
    [wholeCertificate, certificate.raw],
    [publicKeyOnly, keyOf(certificate)],
  ]
  return selected.flatMap(([selector, octets]) =>
    octets === null
      ? []
      : [
          `${selector} ${full} ${octets.toString('hex')}`,
          ...[...digests].map(
            ([matchingType, { algorithm }]) =>
              `${selector} ${matchingType} ${createHash(algorithm).update(octets).digest('hex')}`,
          ),
        ],
  )
}

/**
 * The certificates that usage 2 lets a path end at: presented ones that a record names; one that stands in a record
 * whole (RFC 7671 §5.2.2); and presented ones that a key in a record has signed, whose own certificate stayed away
 * (§5.2.3). The leaf is its own anchor only where it has signed itself: an anchor is who issues.
 */
function anchorsFor(
  presented: readonly [X509Certificate, ...X509Certificate[]],
  records: readonly TlsaRecord[],
): X509Certificate[] {
  const [leaf] = presented
  const named = associations(records, taUsage)
  const published = fullDataOf(records, wholeCertificate).map(readCertificate)
  const anchors = [...presented.filter((each) => isNamedBy(each, named)), ...published].filter(
    (each) => each !== null && (!each.raw.equals(leaf.raw) || isSelfSigned(leaf)),
  )
  return [...anchors, ...signedByKeys(presented, records)].filter((each) => each !== null)
}

/**
 * A certificate stands in for its issuer only where it may be on a path itself, and where the issuer's own certificate,
 * which may have expired or be none of an authority, is not there to say so.
 */
function signedByKeys(
  presented: readonly X509Certificate[],
  records: readonly TlsaRecord[],
): X509Certificate[] {
  const there = new Set(presented.flatMap((each) => keyOf(each)?.toString('hex') ?? []))
  const keys = fullDataOf(records, publicKeyOnly)
    .filter((key) => !there.has(key))
    .slice(0, mostKeys)
    .map(readKey)
  return presented.filter(
    (each) => allowsServerAuth(each) && keys.some((key) => key !== null && isSignedBy(each, key)),
  )
}

const fullDataOf = (records: readonly TlsaRecord[], wanted: number): string[] => [
  ...new Set(
    records
      .filter(
        ({ usage, selector, matchingType }) =>
          usage === taUsage && selector === wanted && matchingType === full,
      )
      .map(({ data }) => data),
  ),
]

/** DER; null for one of an unknown kind. */
const keyOf = (certificate: X509Certificate): Buffer | null =>
  attempt(() => certificate.publicKey.export({ type: 'spki', format: 'der' }))

const isSelfSigned = (certificate: X509Certificate): boolean =>
  certificate.checkIssued(certificate) && isSignedBy(certificate, certificate.publicKey)

const isSignedBy = (certificate: X509Certificate, key: KeyObject): boolean =>
  attempt(() => certificate.verify(key)) ?? false

/** Null for what is not the DER of a certificate, and nothing besides. */
function readCertificate(data: string): X509Certificate | null {
  const der = Buffer.from(data, 'hex')
  const certificate = attempt(() => new X509Certificate(der))
  return certificate?.raw.equals(der) ? certificate : null
}

const readKey = (data: string): KeyObject | null =>
  attempt(() => createPublicKey({ key: Buffer.from(data, 'hex'), format: 'der', type: 'spki' }))

/** Null where OpenSSL cannot read what others have written. */
function attempt<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}
