/**
 * Builds the description of the ingress's certificates that partners read to prepare for a change. The attacks: a
 * private key leaks with the description; a certificate's text misleads its reader. The defence: only certificates are
 * parsed, never a key in the same text; invisible characters in names are made visible. Not covered: the description
 * states what the secret contains, not what the ingress serves.
 */
import { createHash, X509Certificate } from 'node:crypto'
import {
  type IngressCertificates,
  type PublishedCertificate,
  PublishedCertificates,
  type TlsaStatus,
} from '../contract/certificates.ts'
import { replaceInvisible } from '../mail/peer-text.ts'
import { buildDescription, descriptionAt } from './description-at.ts'
import { fingerprintOf } from './fingerprint.ts'
import { commonNameOf, dnsNames } from './names.ts'
import { certificatesIn } from './pem.ts'
import { readRevocationEndpoints } from './revocation/endpoints.ts'
import { issuersOf } from './server-identity.ts'
import { validFrom, validTo } from './validity.ts'

/** The secret, with or without its keys. */
export interface CertificateSet {
  /** In PEM, like the other certificates. */
  certificate: string
  servedFrom?: string | undefined
  next?: { certificate: string; servedFrom: string } | null | undefined
  deprecated: readonly { certificate: string; servedUntil: string }[]
}

export interface DescribeOptions {
  hostname: string
  now: Date
  /**
   * The previous description. Its `changedAt` stays if nothing else changed, and a certificate keeps an earlier
   * `servedFrom`.
   */
  previous?: PublishedCertificates | null
  /** The status of the next certificates. */
  nextTlsa?: TlsaStatus | null
}

/**
 * Limit for the secret's deprecated entries that are described. The secret lists the latest first: partners are most
 * likely to look up that certificate.
 */
const maxDeprecated = 4
const maxNames = 100
const maxTextLength = 300

/**
 * @returns `previous` as it applies now, if nothing changed. It is the same object unless its next certificate became
 * due. Otherwise a description whose `changedAt` is `now`
 * @throws Error in one line that names the unreadable certificate
 */
export function describeCertificates(
  set: CertificateSet | IngressCertificates,
  { hostname, now, previous = null, nextTlsa = null }: DescribeOptions,
): PublishedCertificates {
  const { servedFrom = null, next } = set
  const current = describe('certificate', set.certificate, {
    state: 'Current',
    servedFrom,
    servedUntil: null,
  })
  const announced = next
    ? describe('next', next.certificate, { state: 'Next', servedFrom: next.servedFrom, servedUntil: null })
    : []
  const deprecated = set.deprecated
    .slice(0, maxDeprecated)
    .flatMap(({ certificate, servedUntil }, index) =>
      describe(`deprecated[${index}]`, certificate, { state: 'Deprecated', servedFrom: null, servedUntil }),
    )
  const described = buildDescription(hostname, now.toISOString(), [...current, ...announced, ...deprecated])
  const withoutStatus = descriptionAt(described, now)
  const hasNext = withoutStatus.certificates.some(({ state }) => state === 'Next')
  const asOfNow = { ...withoutStatus, ...(hasNext && nextTlsa && { nextTlsa }) }
  if (previous === null) return { ...asOfNow, changedAt: now.toISOString() }
  const previousAsOfNow = descriptionAt(previous, now)
  const certificates = asOfNow.certificates.map((each) => withEarlierDate(each, previousAsOfNow.certificates))
  const description = { ...asOfNow, certificates, changedAt: previousAsOfNow.changedAt }
  if (isSame(description, previousAsOfNow)) return previousAsOfNow
  return { ...description, changedAt: now.toISOString() }
}

/** Keeps the certificate's earlier `servedFrom`: the secret has only one date for the whole set. */
function withEarlierDate(
  certificate: PublishedCertificate,
  previousCertificates: readonly PublishedCertificate[],
): PublishedCertificate {
  const { state, fingerprint256, servedFrom } = certificate
  const before = previousCertificates.find(
    (each) => each.state === state && each.fingerprint256 === fingerprint256,
  )
  if (state === 'Next' || !before) return certificate
  return { ...certificate, servedFrom: earlier(before.servedFrom, servedFrom) }
}

/** Compares as text, which is correct for ISO 8601 times of one time zone. */
const earlier = (first: string | null, second: string | null): string | null =>
  first !== null && second !== null && first > second ? second : (first ?? second)

/** Parses both descriptions, because stored fields may be in another order than in the schema. */
const isSame = (first: PublishedCertificates, second: PublishedCertificates): boolean =>
  JSON.stringify(PublishedCertificates.parse(first)) === JSON.stringify(PublishedCertificates.parse(second))

type ServedDates = Pick<PublishedCertificate, 'state' | 'servedFrom' | 'servedUntil'>

/** @param field the name of the secret's field, for errors */
function describe(field: string, pem: string, dates: ServedDates): PublishedCertificate[] {
  const certificates = certificatesIn(pem).map((block, index) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new Error(`${field}: certificate ${index + 1} in PEM cannot be read`)
    }
  })
  const leaves = leavesOf(certificates)
  if (leaves.length === 0) throw new Error(`${field}: holds no certificate in PEM`)
  return leaves.map((leaf) => {
    const issuers = certificates.filter((other) => other !== leaf)
    try {
      return describeChain([leaf, ...issuersOf(leaf, issuers)], dates)
    } catch (error) {
      const name = distinguishedNameText(leaf.subject)
      throw new Error(`${field}: the certificate ${name} cannot be described: ${(error as Error).message}`)
    }
  })
}

/**
 * The leaves, in order: certificates that are not marked as an authority. If all are marked, as a self-signed
 * certificate may be, the leaves are those that issued no other.
 */
function leavesOf(certificates: readonly X509Certificate[]): X509Certificate[] {
  const leaves = certificates.filter(({ ca }) => !ca)
  if (leaves.length > 0) return leaves
  return certificates.filter(
    (certificate) => !certificates.some((other) => other !== certificate && other.checkIssued(certificate)),
  )
}

function describeChain(
  chain: readonly [X509Certificate, ...X509Certificate[]],
  dates: ServedDates,
): PublishedCertificate {
  const [leaf] = chain
  const top = chain.at(-1) ?? leaf
  const names = dnsNames(leaf.subjectAltName ?? '')
  const subject = distinguishedNameText(leaf.subject)
  const endpoints = chain.map(readRevocationEndpoints)
  return {
    state: dates.state,
    certificateName: bounded(names[0] ?? commonNameOf(leaf) ?? subject),
    subjectAltNames: names.slice(0, maxNames).map(bounded),
    subject,
    organization: attribute(leaf, 'subject', 'O'),
    organizationalUnit: attribute(leaf, 'subject', 'OU'),
    issuer: distinguishedNameText(leaf.issuer),
    rootIssuer: nameOfIssuer(top),
    ...keyOf(leaf),
    serial: leaf.serialNumber.slice(0, 64).toUpperCase(),
    fingerprint256: fingerprintOf(leaf),
    publicKeyFingerprint256: createHash('sha256')
      .update(leaf.publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex'),
    validFrom: validFrom(leaf).toISOString(),
    validUntil: validTo(leaf).toISOString(),
    servedFrom: dates.servedFrom,
    servedUntil: dates.servedUntil,
    crlAddresses: distinct(endpoints.flatMap(({ crl }) => crl)),
    ocspAddresses: distinct(endpoints.flatMap(({ ocsp }) => ocsp)),
    chain: chain.map(String).join(''),
  }
}

const curveBits = new Map([
  ['prime256v1', 256],
  ['secp384r1', 384],
  ['secp521r1', 521],
])

function keyOf({ publicKey }: X509Certificate): Pick<PublishedCertificate, 'keyType' | 'keyStrength'> {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = publicKey
  // An rsa-pss key is an RSA key restricted to PSS signatures.
  if (type === 'rsa' || type === 'rsa-pss')
    return { keyType: 'RSA', keyStrength: details?.modulusLength ?? 0 }
  return { keyType: type.toUpperCase(), keyStrength: curveBits.get(details?.namedCurve ?? '') ?? 256 }
}

/** The name under which root stores list the issuer: the common name if there is one. */
const nameOfIssuer = (top: X509Certificate): string =>
  attribute(top, 'issuer', 'CN') ??
  attribute(top, 'issuer', 'OU') ??
  attribute(top, 'issuer', 'O') ??
  distinguishedNameText(top.issuer)

/**
 * Returns the last value, which is the most specific. Reads Node's legacy object, because the text form escapes
 * characters.
 */
function attribute(certificate: X509Certificate, field: 'subject' | 'issuer', name: string): string | null {
  const values: unknown = (certificate.toLegacyObject()[field] as Record<string, unknown> | undefined)?.[name]
  const value = Array.isArray(values) ? values.at(-1) : values
  return typeof value === 'string' && value !== '' ? bounded(value) : null
}

const distinguishedNameText = (multiline: string | undefined): string =>
  bounded((multiline ?? '').replaceAll('\n', ', '))

const bounded = (text: string): string => replaceInvisible(text.slice(0, maxTextLength))

const distinct = (values: readonly string[]): string[] => [...new Set(values)]
