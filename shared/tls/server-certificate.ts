/**
 * Whether a next hop's TLS is good enough for what a connector demands. The attack: somebody on the path strips
 * STARTTLS from the EHLO reply, breaks the handshake, or answers with a certificate of his own, and forced mail
 * leaves in the clear or to him. The defence: the facts of the session are judged here before MAIL FROM, and
 * whatever is not known to be good is refused. Its limit: opportunistic mail is protected from listeners only.
 */
import type { CertificateSummary } from '../contract/certificate.ts'
import type { TlsRequirement } from '../contract/jobs.ts'
import type { Reply } from '../contract/message.ts'
import { reply } from '../mail/reply.ts'
import { type CertificateNames, certificateHasName } from './names.ts'

/** What was seen of a next hop's TLS. */
export type ServerTls =
  /** `answer`: what the server said to EHLO or STARTTLS instead, if anything. */
  | { kind: 'NotOffered'; answer: string | null }
  /** `cause`: OpenSSL's or the system's name for it. */
  | { kind: 'HandshakeFailed'; cause: string }
  | EstablishedTls

export interface EstablishedTls {
  kind: 'Established'
  /** `TLSv1.2` or `TLSv1.3`. */
  protocol: string
  /** IANA name. */
  cipher: string
  group: string | null
  /** Whether the chain, with its dates, ends at a root that the requirement trusts. */
  trusted: boolean
  /** OpenSSL's reason when it does not, such as `CERT_HAS_EXPIRED`. */
  trustError: string | null
  names: CertificateNames
  fingerprint256: string | null
  /** What was presented, leaf first, for people to read. */
  certificates: readonly CertificateSummary[]
}

/** Whether a message under this requirement may never be sent in the clear. */
export function forcesTls({ level, mode }: TlsRequirement): boolean {
  return level !== 'Opportunistic' && mode === 'Enforce'
}

/** @returns why the requirement is not met, or null when it is; `mode` is not looked at */
export function assessServerTls(requirement: TlsRequirement, facts: ServerTls): Reply | null {
  if (requirement.level === 'Opportunistic') return null
  switch (facts.kind) {
    case 'NotOffered':
      return reply(451, '7.321', `STARTTLS is required but not available${quoted(facts.answer)}`)
    case 'HandshakeFailed':
      return reply(451, '7.5', `TLS handshake failed: ${facts.cause}`)
    case 'Established':
      return assessVersion(requirement, facts) ?? assessCertificate(requirement, facts)
  }
}

function assessVersion({ minimumTlsVersion }: TlsRequirement, { protocol }: EstablishedTls): Reply | null {
  const accepted = minimumTlsVersion === 'TLSv1.3' ? ['TLSv1.3'] : ['TLSv1.2', 'TLSv1.3']
  if (accepted.includes(protocol)) return null
  return reply(451, '7.5', `${minimumTlsVersion} or newer is required, ${protocol} was negotiated`)
}

function assessCertificate(requirement: TlsRequirement, facts: EstablishedTls): Reply | null {
  if (requirement.level === 'EncryptionOnly') return null
  if (!facts.trusted) return untrusted(facts.trustError)
  if (requirement.level === 'CertificateValidation') return null
  const { tlsDomain } = requirement
  if (tlsDomain !== null && certificateHasName(facts.names, [tlsDomain])) return null
  const found = facts.names.subjectAltNames.slice(0, 5).join(', ') || facts.names.commonName || 'no name'
  return reply(451, '7.325', `Certificate is for ${found}, not for ${tlsDomain ?? 'any expected name'}`)
}

const outOfDate = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

function untrusted(trustError: string | null): Reply {
  const why = trustError ?? 'no reason given'
  if (outOfDate.has(why)) return reply(451, '7.322', `Certificate is out of date: ${why}`)
  return reply(451, '7.320', `Certificate is not trusted: ${why}`)
}

const quoted = (answer: string | null): string => (answer === null ? '' : `: ${answer}`)
