/**
 * Checks a next hop's TLS against the requirement. The attack: an attacker on the path strips STARTTLS from the EHLO
 * reply, breaks the handshake, or presents its own certificate. It wants forced mail in the clear or for itself. The
 * defence: the session is checked here before MAIL FROM, and refused unless it is known to be good. Its limit:
 * opportunistic TLS protects only from passive listeners.
 */
import type { CertificateSummary } from '../contract/certificate.ts'
import type { Revocation } from '../contract/revocation.ts'
import type { TlsResult } from '../contract/tls-result.ts'
import { toSingleLine } from '../mail/peer-text.ts'
import { reply } from '../mail/reply.ts'
import { chainsToForServers } from './chain.ts'
import { matchesTlsa } from './dane.ts'
import { type CertificateNames, certificateHasName } from './names.ts'
import type { HopRequirement, TlsFault } from './requirement.ts'

export type ServerTls =
  /** `answer`: the server's reply to EHLO or STARTTLS, if any. */
  | { kind: 'NotOffered'; answer: string | null }
  /** `cause`: the error code of OpenSSL or the system. */
  | { kind: 'HandshakeFailed'; cause: string }
  | EstablishedTls

export interface EstablishedTls {
  kind: 'Established'
  /** `TLSv1.2` or `TLSv1.3`. */
  protocol: string
  /** IANA name. */
  cipher: string
  group: string | null
  /** Whether the chain is valid now and ends at a root in `trustedBy`. */
  trusted: boolean
  /** The trust anchors of the handshake, PEM; empty means the public roots. */
  trustedBy: readonly string[]
  /** OpenSSL's error code if not trusted, such as `CERT_HAS_EXPIRED`. */
  trustError: string | null
  names: CertificateNames
  fingerprint256: string | null
  /** As presented, leaf first, base64 DER. */
  chain: readonly string[]
  /** The presented certificates for people, leaf first. */
  certificates: readonly CertificateSummary[]
  /** Absent if not checked. */
  revocation?: Revocation
}

/**
 * @param at the time of the handshake
 * @returns why the requirement is not met, or null
 */
export function assessServerTls(requirement: HopRequirement, facts: ServerTls, at: Date): TlsFault | null {
  if (requirement.level === 'Opportunistic') return null
  switch (facts.kind) {
    case 'NotOffered':
      return notOffered(facts.answer)
    case 'HandshakeFailed':
      return fault('4.7.5', `TLS handshake failed: ${facts.cause}`, 'validation-failure')
    case 'Established':
      return assessVersion(requirement, facts) ?? assessCertificate(requirement, facts, at)
  }
}

/** Characters of the revocation detail in a reply. */
const maxDetailLength = 300

/**
 * Runs after the chain was verified, since it needs requests to other servers.
 * @returns why the requirement is not met, or null
 */
export function assessRevocation(
  { revocationCheck }: Pick<HopRequirement, 'revocationCheck'>,
  { status, detail }: Revocation,
): TlsFault | null {
  const why = toSingleLine(detail, maxDetailLength)
  if (revocationCheck === 'None' || status === 'Good') return null
  if (status === 'Revoked')
    return fault('4.7.320', `Certificate is revoked: ${why}`, 'certificate-not-trusted')
  if (revocationCheck === 'SoftFail') return null
  return fault(
    '4.7.320',
    `Cannot determine whether the certificate is revoked: ${why}`,
    'certificate-not-trusted',
  )
}

/** The result for a TLS report without a requirement. */
export function unrequiredTlsResult(facts: ServerTls): TlsResult {
  if (facts.kind === 'NotOffered') return 'starttls-not-supported'
  return facts.kind === 'HandshakeFailed' ? 'validation-failure' : 'success'
}

/** A deferral, with reply code 451. */
const fault = (enhanced: string, text: string, result: TlsResult): TlsFault => ({
  reply: reply(451, enhanced, text),
  result,
})

const notOffered = (answer: string | null): TlsFault =>
  fault('4.7.321', `STARTTLS is required but not available${quotedAnswer(answer)}`, 'starttls-not-supported')

function assessVersion({ minimumTlsVersion }: HopRequirement, { protocol }: EstablishedTls): TlsFault | null {
  const accepted = minimumTlsVersion === 'TLSv1.3' ? ['TLSv1.3'] : ['TLSv1.2', 'TLSv1.3']
  if (accepted.includes(protocol)) return null
  const text = `${minimumTlsVersion} or newer is required, ${protocol} was negotiated`
  return fault('4.7.5', text, 'validation-failure')
}

function assessCertificate(requirement: HopRequirement, facts: EstablishedTls, at: Date): TlsFault | null {
  switch (requirement.level) {
    case 'Opportunistic':
    case 'EncryptionOnly':
      return null
    case 'CertificateValidation':
      return assessTrust(requirement, facts, at)
    case 'DomainValidation': {
      const found = assessTrust(requirement, facts, at) ?? assessName(requirement, facts)
      return found && requirement.source === 'MtaSts' ? withMtaStsCode(found) : found
    }
    case 'Dane':
      return assessTlsa(requirement, facts, at)
  }
}

/** MTA-STS has one code for all certificate faults. */
function withMtaStsCode({ reply: { text }, result }: TlsFault): TlsFault {
  return fault('4.7.5', `MTA-STS: ${text}`, result)
}

function assessTlsa({ tlsa, names }: HopRequirement, facts: EstablishedTls, at: Date): TlsFault | null {
  if (matchesTlsa(tlsa, facts.chain, facts.names, names, at)) return null
  const shown = facts.fingerprint256 === null ? 'No certificate' : `Certificate ${facts.fingerprint256}`
  return fault('4.7.323', `DANE: ${shown} matches none of the TLSA records of ${names[0]}`, 'tlsa-invalid')
}

function assessTrust(requirement: HopRequirement, facts: EstablishedTls, at: Date): TlsFault | null {
  if (isSame(requirement.certificateAuthorities, facts.trustedBy))
    return facts.trusted ? null : untrustedFault(facts.trustError)
  // The handshake used the enforced requirement's anchors. Only a requirement that is not enforced has others.
  return requirement.certificateAuthorities.length > 0 &&
    chainsToForServers(facts.chain, requirement.certificateAuthorities, at)
    ? null
    : untrustedFault("not issued by the requirement's own authorities")
}

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((pem, index) => pem === other[index])

function assessName({ names, source }: HopRequirement, facts: EstablishedTls): TlsFault | null {
  // RFC 8461 §4.2 allows alternative names only.
  const presented = source === 'MtaSts' ? { ...facts.names, commonName: null } : facts.names
  if (certificateHasName(presented, names)) return null
  const found = presented.subjectAltNames.slice(0, 5).join(', ') || presented.commonName || 'no name'
  const wanted = names.join(' or ') || 'any expected name'
  return fault('4.7.325', `Certificate is for ${found}, not for ${wanted}`, 'certificate-host-mismatch')
}

const dateErrorCodes = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

function untrustedFault(trustError: string | null): TlsFault {
  const why = trustError ?? 'no reason given'
  return dateErrorCodes.has(why)
    ? fault('4.7.322', `Certificate is out of date: ${why}`, 'certificate-expired')
    : fault('4.7.320', `Certificate is not trusted: ${why}`, 'certificate-not-trusted')
}

const quotedAnswer = (answer: string | null): string => (answer === null ? '' : `: ${answer}`)
