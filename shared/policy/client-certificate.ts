/**
 * Decides whether an inbound connector accepts the certificate that a client presented, and lists the faults of a
 * certificate that it does not accept. The attack: mail in a partner's name from a client with a certificate that is
 * not the partner's. The defence: the certificate must be within its dates and not revoked. It must be pinned, or have
 * an expected name (RFC 9525) and a chain to the public roots or to the connector's own authorities. Not covered: a
 * revocation that was not checked in the session is not checked later.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { ClientCertificate } from '../contract/message.ts'
import { replaceInvisible } from '../mail/peer-text.ts'
import { chainFault, noPathFault } from '../tls/chain.ts'
import { anyNameMatches, presentedNames } from '../tls/names.ts'
import { mailPurposes } from '../tls/purpose.ts'
import { firstNames } from './text-lists.ts'

export interface PresentedCertificate {
  certificate: ClientCertificate
  /** In comparable form. */
  names: readonly string[]
  /** The certificate must be valid at this time. */
  at: Date
}

export function toPresentedCertificate(certificate: ClientCertificate, at: Date): PresentedCertificate
export function toPresentedCertificate(
  certificate: ClientCertificate | null,
  at: Date,
): PresentedCertificate | null
export function toPresentedCertificate(
  certificate: ClientCertificate | null,
  at: Date,
): PresentedCertificate | null {
  return certificate && { certificate, names: presentedNames(certificate), at }
}

/** True for a certificate that the connector accepts and that is not revoked. */
export function identifiesClient(
  connector: InboundConnector,
  presented: PresentedCertificate | null,
): boolean {
  return isAcceptedCertificate(connector, presented) && !hasRevocationFault(connector, presented.certificate)
}

/** True for a certificate that the connector would accept if it were not revoked. */
export function isAcceptedCertificate(
  connector: InboundConnector,
  presented: PresentedCertificate | null,
): presented is PresentedCertificate {
  if (presented === null || !isInDates(presented)) return false
  if (isPinned(connector, presented)) return true
  return (
    hasName(connector, presented) && isTrusted(connector, presented) && isForPurpose(connector, presented)
  )
}

/** One clause for each fault of a certificate that does not identify its client. */
export function certificateFaults(connector: InboundConnector, presented: PresentedCertificate): string[] {
  const { certificate, names } = presented
  const { tlsSenderCertificateNames: expected, certificateFingerprints: pinned } = connector
  const faults: string[] = []
  if (presented.at > new Date(certificate.notAfter)) faults.push(`expired on ${certificate.notAfter}`)
  if (presented.at < new Date(certificate.notBefore)) faults.push(`not valid before ${certificate.notBefore}`)
  const revocationText = revocationFault(connector, certificate)
  if (revocationText !== null) faults.push(revocationText)
  if (isPinned(connector, presented)) return faults
  if (expected.length > 0) {
    const trustFault = trustFaultOf(connector, presented)
    if (trustFault !== null)
      faults.push(`issued by ${issuerOf(certificate)}, which is not trusted (${trustFault})`)
    if (!isForPurpose(connector, presented)) faults.push('not issued for client authentication')
    if (!hasName(connector, presented))
      faults.push(`presented names ${listText(names)}, expected ${listText(expected)}`)
  }
  if (pinned.length > 0)
    faults.push(`fingerprint ${certificate.fingerprint256} is not among the ${pinned.length} pinned`)
  return faults
}

/** True if the connector has `HardFail` and refuses the certificate only because its revocation is undetermined. */
export const isRevocationUndetermined = (
  connector: InboundConnector,
  presented: PresentedCertificate | null,
): boolean =>
  isAcceptedCertificate(connector, presented) &&
  presented.certificate.revocation?.status !== 'Revoked' &&
  hasRevocationFault(connector, presented.certificate)

const hasRevocationFault = (connector: InboundConnector, certificate: ClientCertificate): boolean =>
  revocationFault(connector, certificate) !== null

/** `HardFail` treats a check that was not made in the session like a check without a result. */
function revocationFault(
  { revocationCheck }: InboundConnector,
  { revocation }: ClientCertificate,
): string | null {
  if (revocationCheck === 'None') return null
  if (revocation?.status === 'Revoked') return `revoked (${replaceInvisible(revocation.detail)})`
  if (revocationCheck === 'SoftFail' || revocation?.status === 'Good') return null
  const reason = revocation ? replaceInvisible(revocation.detail) : 'it was not checked in the session'
  return `revocation undetermined (${reason})`
}

function isInDates({ certificate, at }: PresentedCertificate): boolean {
  return new Date(certificate.notBefore) <= at && at <= new Date(certificate.notAfter)
}

export const isPinned = (
  { certificateFingerprints }: InboundConnector,
  { certificate }: PresentedCertificate,
): boolean => certificateFingerprints.includes(certificate.fingerprint256)

export const hasName = (
  { tlsSenderCertificateNames }: InboundConnector,
  { names }: PresentedCertificate,
): boolean => anyNameMatches(names, tlsSenderCertificateNames)

const isTrusted = (connector: InboundConnector, presented: PresentedCertificate): boolean =>
  connector.certificateAuthorities.length > 0
    ? ownAuthoritiesFault(connector, presented) === null
    : presented.certificate.trusted

const ownAuthoritiesFault = (
  { certificateAuthorities }: InboundConnector,
  { certificate, at }: PresentedCertificate,
): string | null => chainFault(mailPurposes, certificate.chain, certificateAuthorities, at)

/**
 * Checks the purpose along the path by which the certificate is trusted. `clientAuth` is the handshake's result: for
 * the path to the public roots if there is one, otherwise for the leaf alone.
 */
export function isForPurpose(connector: InboundConnector, presented: PresentedCertificate): boolean {
  const { certificate, at } = presented
  const { requireClientAuthEku, certificateAuthorities: authorities } = connector
  if (!requireClientAuthEku) return true
  return authorities.length > 0 && ownAuthoritiesFault(connector, presented) === null
    ? chainFault(['Client'], certificate.chain, authorities, at) === null
    : certificate.clientAuth
}

/** OpenSSL's codes for a certificate outside its dates. They may hide another fault. */
export const dateErrorCodes: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

/**
 * The reason why the issuer is not trusted, or null when the issuer is trusted. A certificate outside its dates is
 * checked at the nearest time within them, because the dates are a separate fault.
 */
export function trustFaultOf(connector: InboundConnector, presented: PresentedCertificate): string | null {
  const { certificate } = presented
  const authorityCount = connector.certificateAuthorities.length
  if (authorityCount === 0 && !isInDates(presented) && dateErrorCodes.has(certificate.trustError ?? ''))
    return null
  const atValidDate = { ...presented, at: nearestValidDate(presented) }
  if (isTrusted(connector, atValidDate)) return null
  if (authorityCount === 0) return certificate.trustError ?? 'no public root'
  if (certificate.chain.length === 0) return 'the presented chain is too large to read'
  const fault = ownAuthoritiesFault(connector, atValidDate)
  if (fault !== noPathFault) return fault
  return authorityCount === 1
    ? "it does not lead to the connector's own authority"
    : `it leads to none of the connector's ${authorityCount} own authorities`
}

function nearestValidDate({ certificate, at }: PresentedCertificate): Date {
  const [first, last] = [new Date(certificate.notBefore), new Date(certificate.notAfter)]
  return at > last ? last : at < first ? first : at
}

const issuerOf = ({ issuer }: ClientCertificate): string => subjectText(issuer) || 'an unnamed authority'

/**
 * The subject is untrusted, and replies, traces and mail quote it. So it is bounded and has no control characters.
 */
export const subjectText = (subject: string): string => replaceInvisible(subject.slice(0, 200))

/** Bounded, because a certificate may hold a hundred names, and jobs carry the text. */
export const listText = (names: readonly string[], maxNames = 5): string => `[${firstNames(names, maxNames)}]`
