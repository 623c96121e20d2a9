/**
 * Checks whether TLSA records name a next hop's certificate (RFC 6698, RFC 7671, RFC 7672 §3). The attacks: a
 * certificate for the host's name from any public authority; records and chains that are expensive to match. The
 * defence: the caller passes only records that DNSSEC proves; each certificate is hashed once, and few bare keys are
 * tried. Not covered: an attacker with the zone's keys.
 */
import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readCertificateParts } from './certificate-parts.ts'
import { chainFault } from './chain.ts'
import { signatureFault } from './cryptographic-strength.ts'
import { type CertificateNames, certificateHasName } from './names.ts'
import type { TlsaRecord } from './requirement.ts'

const taUsage = 2
const eeUsage = 3
const wholeCertificate = 0
const publicKeyOnly = 1
const fullData = 0

/** Digests by matching type, weaker first (RFC 7671 §9). */
const digests = new Map([
  [1, { algorithm: 'sha256', digits: 64 }],
  [2, { algorithm: 'sha512', digits: 128 }],
])

/** Limit for bare keys tried with a chain, because each costs a signature check per certificate. */
const maxKeys = 8

/** RFC 7672 §3.1.3: usage 2 or 3, a known selector and a known matching type, and data that match both. */
export function isUsable({ usage, selector, matchingType, data }: TlsaRecord): boolean {
  if (usage !== taUsage && usage !== eeUsage) return false
  if (selector !== wholeCertificate && selector !== publicKeyOnly) return false
  if (matchingType !== fullData) return digests.get(matchingType)?.digits === data.length
  return (selector === wholeCertificate ? readCertificate(data) : readKey(data)) !== null
}

/**
 * @param records the usable records
 * @param chain the presented certificates, leaf first, base64 DER
 * @param names reference identifiers, which only usage 2 checks (RFC 7672 §3.2)
 * @param at the time at which certificates must be valid; usage 3 ignores dates (RFC 7672 §3.1.1)
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
  if (matchesAssociation(leaf, associations(strongest, eeUsage))) return true
  if (!certificateHasName(certificate, names)) return false
  const anchors = anchorsFor([leaf, ...presented.slice(1)], strongest)
  return anchors.length > 0 && chainFault(['Server'], chain, anchors.map(String), at) === null
}

/**
 * RFC 7671 §9: if the stronger digest is published, the weaker one must not suffice, because an attacker might find a
 * collision for the weaker one. Records with full data stay, because full data are no digest.
 */
function withoutWeakerDigests(records: readonly TlsaRecord[]): readonly TlsaRecord[] {
  const strongest = new Map<string, number>()
  const kind = ({ usage, selector }: TlsaRecord) => `${usage} ${selector}`
  for (const record of records)
    strongest.set(kind(record), Math.max(strongest.get(kind(record)) ?? fullData, record.matchingType))
  return records.filter(
    (record) => record.matchingType === fullData || record.matchingType === strongest.get(kind(record)),
  )
}

/** The associations of the records with the usage, as texts `selector matchingType data`. */
function associations(records: readonly TlsaRecord[], ofUsage: number): ReadonlySet<string> {
  return new Set(
    records
      .filter(({ usage }) => usage === ofUsage)
      .map(({ selector, matchingType, data }) => `${selector} ${matchingType} ${data}`),
  )
}

function matchesAssociation(certificate: X509Certificate, published: ReadonlySet<string>): boolean {
  return published.size > 0 && associationsOf(certificate).some((association) => published.has(association))
}

/** Every association by which a record could name the certificate. */
function associationsOf(certificate: X509Certificate): string[] {
  const selected: [number, Buffer | null][] = [
    [wholeCertificate, certificate.raw],
    [publicKeyOnly, keyOf(certificate)],
  ]
  return selected.flatMap(([selector, octets]) =>
    octets === null
      ? []
      : [
          `${selector} ${fullData} ${octets.toString('hex')}`,
          ...[...digests].map(
            ([matchingType, { algorithm }]) =>
              `${selector} ${matchingType} ${createHash(algorithm).update(octets).digest('hex')}`,
          ),
        ],
  )
}

/**
 * The trust anchors that usage 2 allows. First, presented certificates that a record names. Second, certificates that a
 * record holds in full (RFC 7671 §5.2.2). Of these, the leaf is an anchor only if it is self-signed, because an anchor
 * is an issuer. Third, presented certificates signed by a key in a record, if no presented certificate has that key
 * (§5.2.3).
 */
function anchorsFor(
  presented: readonly [X509Certificate, ...X509Certificate[]],
  records: readonly TlsaRecord[],
): X509Certificate[] {
  const [leaf] = presented
  const anchorAssociations = associations(records, taUsage)
  const fullCertificates = fullDataOf(records, wholeCertificate).map(readCertificate)
  const namedCertificates = presented.filter((each) => matchesAssociation(each, anchorAssociations))
  const anchors = [...namedCertificates, ...fullCertificates].filter(
    (each) => each !== null && (!each.raw.equals(leaf.raw) || isSelfSigned(leaf)),
  )
  return [...anchors, ...signedByKeys(presented, records)].filter((each) => each !== null)
}

/**
 * The presented certificates that a key in a record has signed. Each is an anchor in place of its issuer, whose
 * certificate is not presented. Its signature must not be weak: of other anchors the signature proves nothing, so
 * chainFault does not check it. Keys of presented certificates are left out: such an issuer's certificate must be checked
 * itself, because it may be expired or not be an authority's.
 */
function signedByKeys(
  presented: readonly X509Certificate[],
  records: readonly TlsaRecord[],
): X509Certificate[] {
  const presentedKeys = new Set(presented.flatMap((each) => keyOf(each)?.toString('hex') ?? []))
  const keys = fullDataOf(records, publicKeyOnly)
    .filter((key) => !presentedKeys.has(key))
    .slice(0, maxKeys)
    .map(readKey)
  return presented.filter(
    (each) => keys.some((key) => key !== null && isSignedBy(each, key)) && hasStrongSignature(each),
  )
}

const hasStrongSignature = (certificate: X509Certificate): boolean =>
  orNull(() => signatureFault(readCertificateParts(certificate)) === null) ?? false

/** The full data of the records of usage 2 with the selector, each once. */
const fullDataOf = (records: readonly TlsaRecord[], ofSelector: number): string[] => [
  ...new Set(
    records
      .filter(
        ({ usage, selector, matchingType }) =>
          usage === taUsage && selector === ofSelector && matchingType === fullData,
      )
      .map(({ data }) => data),
  ),
]

/** The key in DER; null for an unknown key type. */
const keyOf = (certificate: X509Certificate): Buffer | null =>
  orNull(() => certificate.publicKey.export({ type: 'spki', format: 'der' }))

const isSelfSigned = (certificate: X509Certificate): boolean =>
  certificate.checkIssued(certificate) && isSignedBy(certificate, certificate.publicKey)

const isSignedBy = (certificate: X509Certificate, key: KeyObject): boolean =>
  orNull(() => certificate.verify(key)) ?? false

/** @returns null unless the data are exactly one certificate in DER */
function readCertificate(data: string): X509Certificate | null {
  const der = Buffer.from(data, 'hex')
  const certificate = orNull(() => new X509Certificate(der))
  return certificate?.raw.equals(der) ? certificate : null
}

const readKey = (data: string): KeyObject | null =>
  orNull(() => createPublicKey({ key: Buffer.from(data, 'hex'), format: 'der', type: 'spki' }))

/** @returns null if OpenSSL cannot parse the untrusted input */
function orNull<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}
