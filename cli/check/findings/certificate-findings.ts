/** Findings about single certificates: identity, dates, key, signature, purpose. Pure. */
import type { X509Certificate } from 'node:crypto'
import { dayMs } from '../../../shared/contract/durations.ts'
import { fingerprintOf } from '../../../shared/tls/fingerprint.ts'
import { allowsClientAuth, allowsServerAuth } from '../../../shared/tls/purpose.ts'
import { signatureName } from '../../../shared/tls/signature-name.ts'
import { isSelfSigned, keyOf } from '../../../shared/tls/unreadable-key.ts'
import { hasDates, validFrom, validTo } from '../../../shared/tls/validity.ts'
import { formatTime } from '../../text/format.ts'
import type { CertificateFacts } from '../facts/facts.ts'
import { subjectOf, wholeName } from './certificate-names.ts'
import { curveName } from './curve-name.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** Days before expiry at which the warning becomes more urgent. */
const warningDays = [3, 14, 30] as const

export function certificateFindings({ presented, path, trust }: CertificateFacts, at: Date): Finding[] {
  const usedCertificates = path.steps.map(({ certificate }) => certificate)
  const usedFingerprints = new Set(usedCertificates.map(({ fingerprint256 }) => fingerprint256))
  const unused = presented.filter(({ fingerprint256 }) => !usedFingerprints.has(fingerprint256))
  return [
    ...usedCertificates.flatMap((certificate, index) => [
      identityFinding(certificate),
      datesFinding(certificate, at),
      keyFinding(certificate),
      signatureFinding(certificate),
      ...(index === 0 ? [purposeFinding(certificate, trust.tls !== null)] : []),
    ]),
    // An expired or weak certificate that is not used does no harm, so only its identity is printed.
    ...unique(unused).map(identityFinding),
  ]
}

const unique = (certificates: readonly X509Certificate[]): X509Certificate[] => [
  ...new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate])).values(),
]

function identityFinding(certificate: X509Certificate): Finding {
  const { subject, issuer, serialNumber } = certificate
  const parts = [
    wholeName(subject),
    `issued by ${wholeName(issuer)}`,
    `serial ${serialNumber.slice(0, 64)}`,
    `SHA-256 ${fingerprintOf(certificate)}`,
  ]
  return ok('certificate', parts.join('; '), subjectOf(certificate))
}

function datesFinding(certificate: X509Certificate, at: Date): Finding {
  const subject = subjectOf(certificate)
  if (!hasDates(certificate))
    return fail('dates', 'the dates cannot be read', 'Have the certificate reissued', subject)
  const [from, to] = [validFrom(certificate), validTo(certificate)]
  const span = `from ${formatTime(from.toISOString())} until ${formatTime(to.toISOString())}`
  const daysLeft = (to.getTime() - at.getTime()) / dayMs
  if (daysLeft < 0)
    return fail('dates', `expired ${days(-daysLeft)} ago: ${span}`, renewalAdvice(certificate), subject)
  if (from > at)
    return fail(
      'dates',
      `not valid yet, valid in ${days((from.getTime() - at.getTime()) / dayMs)}: ${span}`,
      'Serve the previous certificate until then, and check the clocks of both machines',
      subject,
    )
  const validity = `${span}, ${days(daysLeft)} left`
  const notice = warningDays.find((maxDays) => daysLeft <= maxDays)
  return notice === undefined
    ? ok('dates', validity, subject)
    : warn('dates', validity, adviceByDays[notice](certificate), subject)
}

const adviceByDays: Record<(typeof warningDays)[number], (certificate: X509Certificate) => string> = {
  3: (certificate) => `${renewalAdvice(certificate)} today`,
  14: (certificate) => `${renewalAdvice(certificate)} now: automatic renewal should have replaced it already`,
  30: (certificate) =>
    `${renewalAdvice(certificate)} within two weeks, or check that automatic renewal works`,
}

const renewalAdvice = ({ ca }: X509Certificate): string =>
  ca ? 'Serve the newer certificate of this authority' : 'Renew the certificate and reload the server'

const days = (number: number): string =>
  number < 1 ? 'less than a day' : `${Math.floor(number)} day${Math.floor(number) === 1 ? '' : 's'}`

const minRsaBits = 2048
/** Key length in bits, by OpenSSL's name of the curve. A curve that is not listed counts as strong enough. */
const curveBits: Readonly<Record<string, number>> = {
  prime192v1: 192,
  secp192k1: 192,
  secp224k1: 224,
  secp224r1: 224,
  prime256v1: 256,
  secp256k1: 256,
  secp384r1: 384,
  secp521r1: 521,
}
const minCurveBits = 256

function keyFinding(certificate: X509Certificate): Finding {
  const subject = subjectOf(certificate)
  const advice = 'Have the certificate reissued for an RSA key of 2048 bits or more, or an ECDSA P-256 key'
  const key = keyOf(certificate)
  if (!key) return fail('key', 'of a type that OpenSSL does not know', advice, subject)
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details = {} } = key
  if (type.startsWith('rsa')) {
    const bits = details.modulusLength ?? 0
    return bits < minRsaBits
      ? fail('key', `RSA, ${bits} bits`, advice, subject)
      : ok('key', `RSA, ${bits} bits`, subject)
  }
  if (type === 'ec') {
    const curve = details.namedCurve ?? 'with explicit parameters'
    return (curveBits[curve] ?? minCurveBits) < minCurveBits
      ? fail('key', `EC, curve ${curve}`, advice, subject)
      : ok('key', `EC, curve ${curveName[curve] ?? curve}`, subject)
  }
  return type === 'dsa' ? fail('key', 'DSA', advice, subject) : ok('key', type.toUpperCase(), subject)
}

function signatureFinding(certificate: X509Certificate): Finding {
  const subject = subjectOf(certificate)
  const algorithm = signatureName(certificate)
  if (isSelfSigned(certificate))
    return ok('signature', `${algorithm}, self-signed, so the signature is not checked`, subject)
  return /sha-?1(?!\d)|md[245]/i.test(algorithm)
    ? fail(
        'signature',
        `${algorithm}: such signatures can be forged`,
        'Have the certificate reissued with a SHA-256 signature or better',
        subject,
      )
    : ok('signature', algorithm, subject)
}

/** RFC 5280 §4.2.1.12. */
function purposeFinding(leaf: X509Certificate, isFromServer: boolean): Finding {
  const subject = subjectOf(leaf)
  const [server, client] = [allowsServerAuth(leaf), allowsClientAuth(leaf)]
  if (server && client) return ok('purpose', 'for servers and for clients', subject)
  if (server) return ok('purpose', 'for servers only; mailflow also accepts it from clients', subject)
  const advice = 'A server certificate needs the extended key usage serverAuth'
  if (!client) return fail('purpose', 'neither for servers nor for clients', advice, subject)
  return (isFromServer ? fail : warn)('purpose', 'for clients only', advice, subject)
}
