/**
 * Checks a next hop's TLS against the requirement. The attack: an attacker on the path strips STARTTLS from the EHLO
 * reply, breaks the handshake, or presents its own certificate, to read or receive mail with forced TLS. The defence:
 * the session is checked before MAIL FROM, and no message is sent unless the requirement is met. Not covered: active
 * attackers of opportunistic TLS, which protects only from passive listeners.
 */
import type { CertificateSummary } from '../contract/certificate.ts'
import type { Revocation } from '../contract/revocation.ts'
import type { TlsResult } from '../contract/tls-result.ts'
import { toSingleLine } from '../mail/peer-text.ts'
import { reply } from '../mail/reply.ts'
import { chainFault } from './chain.ts'
import { matchesTlsa } from './dane.ts'
import { type CertificateNames, certificateHasName } from './names.ts'
import type { HopRequirement, TlsFault } from './requirement.ts'

export type ServerTls =
  /** `serverReply`: the reply to EHLO or STARTTLS, or the code of the error in its place; null if there was neither. */
  | { kind: 'NotOffered'; serverReply: string | null }
  /** `cause`: the error code of OpenSSL or the system. */
  | { kind: 'HandshakeFailed'; cause: string }
  | EstablishedTls

export interface EstablishedTls {
  kind: 'Established'
  /** The version: `TLSv1.2` or `TLSv1.3`. */
  protocol: string
  /** The IANA name. */
  cipher: string
  group: string | null
  /** Whether the chain was valid at the handshake and ends at a root in `trustedBy`. */
  trusted: boolean
  /** The trust anchors of the handshake, PEM; empty means the public roots. */
  trustedBy: readonly string[]
  /** If not trusted, OpenSSL's error code, such as `CERT_HAS_EXPIRED`, or the fault that chain.ts found. */
  trustError: string | null
  names: CertificateNames
  fingerprint256: string | null
  /** The presented certificates, leaf first, base64 DER. */
  chain: readonly string[]
  /** Human-readable summaries of the presented certificates, leaf first. */
  certificates: readonly CertificateSummary[]
  /** Absent if the revocation was not checked. */
  revocation?: Revocation
}

/**
 * @param at the time of the handshake
 * @returns the fault, or null when the requirement is met
 */
export function assessServerTls(requirement: HopRequirement, facts: ServerTls, at: Date): TlsFault | null {
  const faults = [requirement, ...(requirement.additional ?? [])].map((each) => assessOne(each, facts, at))
  return faults.find((found) => found !== null) ?? null
}

function assessOne(requirement: HopRequirement, facts: ServerTls, at: Date): TlsFault | null {
  if (requirement.level === 'Opportunistic') return null
  switch (facts.kind) {
    case 'NotOffered':
      return notOffered(facts.serverReply)
    case 'HandshakeFailed':
      return fault('4.7.5', `TLS handshake failed: ${facts.cause}`, 'validation-failure')
    case 'Established':
      return assessVersion(requirement, facts) ?? assessCertificate(requirement, facts, at)
  }
}

/** Limit for the revocation detail in a reply, in characters. */
const maxDetailLength = 300

/**
 * Assesses the result of a revocation check. The caller verifies the chain before that check, because the check needs
 * requests to other servers.
 * @returns the fault, or null when the requirement is met
 */
export function assessRevocation(
  { revocationCheck }: Pick<HopRequirement, 'revocationCheck'>,
  { status, detail }: Revocation,
): TlsFault | null {
  const detailLine = toSingleLine(detail, maxDetailLength)
  if (revocationCheck === 'None' || status === 'Good') return null
  if (status === 'Revoked')
    return fault('4.7.320', `Certificate is revoked: ${detailLine}`, 'certificate-not-trusted')
  if (revocationCheck === 'SoftFail') return null
  return fault(
    '4.7.320',
    `Cannot determine whether the certificate is revoked: ${detailLine}`,
    'certificate-not-trusted',
  )
}

/** The result in a TLS report when no requirement applies. */
export function unrequiredTlsResult(facts: ServerTls): TlsResult {
  if (facts.kind === 'NotOffered') return 'starttls-not-supported'
  return facts.kind === 'HandshakeFailed' ? 'validation-failure' : 'success'
}

/** A deferral, with reply code 451. */
const fault = (enhanced: string, text: string, result: TlsResult): TlsFault => ({
  reply: reply(451, enhanced, text),
  result,
})

const notOffered = (serverReply: string | null): TlsFault =>
  fault(
    '4.7.321',
    `STARTTLS is required but not available${quotedReply(serverReply)}`,
    'starttls-not-supported',
  )

function assessVersion({ minimumTlsVersion }: HopRequirement, { protocol }: EstablishedTls): TlsFault | null {
  const acceptedVersions = minimumTlsVersion === 'TLSv1.3' ? ['TLSv1.3'] : ['TLSv1.2', 'TLSv1.3']
  if (acceptedVersions.includes(protocol)) return null
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
      const certificateFault = assessTrust(requirement, facts, at) ?? assessName(requirement, facts)
      return certificateFault && requirement.source === 'MtaSts'
        ? withMtaStsCode(certificateFault)
        : certificateFault
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
  const certificateText =
    facts.fingerprint256 === null ? 'No certificate' : `Certificate ${facts.fingerprint256}`
  return fault(
    '4.7.323',
    `DANE: ${certificateText} matches none of the TLSA records of ${names[0]}`,
    'tlsa-invalid',
  )
}

function assessTrust(requirement: HopRequirement, facts: EstablishedTls, at: Date): TlsFault | null {
  if (isSame(requirement.certificateAuthorities, facts.trustedBy))
    return facts.trusted ? null : untrustedFault(facts.trustError)
  // A report-only or additional requirement can have other anchors than the handshake (trustAnchorsFor in
  // smtp/connection.ts).
  const { certificateAuthorities } = requirement
  const chainTrustFault =
    certificateAuthorities.length === 0
      ? 'not verified with the public roots'
      : chainFault(['Server'], facts.chain, certificateAuthorities, at)
  return chainTrustFault === null ? null : untrustedFault(chainTrustFault)
}

const isSame = (first: readonly string[], second: readonly string[]): boolean =>
  first.length === second.length && first.every((pem, index) => pem === second[index])

function assessName({ names, source }: HopRequirement, facts: EstablishedTls): TlsFault | null {
  // RFC 8461 §4.2 allows alternative names only.
  const presented = source === 'MtaSts' ? { ...facts.names, commonName: null } : facts.names
  if (certificateHasName(presented, names)) return null
  const presentedText = presented.subjectAltNames.slice(0, 5).join(', ') || presented.commonName || 'no name'
  const expectedText = names.join(' or ') || 'any expected name'
  return fault(
    '4.7.325',
    `Certificate is for ${presentedText}, not for ${expectedText}`,
    'certificate-host-mismatch',
  )
}

const dateErrorCodes = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

function untrustedFault(trustError: string | null): TlsFault {
  const code = trustError ?? 'no reason given'
  return dateErrorCodes.has(code)
    ? fault('4.7.322', `Certificate is out of date: ${code}`, 'certificate-expired')
    : fault('4.7.320', `Certificate is not trusted: ${code}`, 'certificate-not-trusted')
}

const quotedReply = (serverReply: string | null): string => (serverReply === null ? '' : `: ${serverReply}`)
