/**
 * Certificates as identity: whether the certificate that a peer presented is one that an inbound connector names,
 * and, when it is not, everything that is wrong with it. The attack: mail in a partner's name by somebody who has
 * a certificate, only not the partner's. The defence: RFC 9525 names, dates, and a chain to the public roots or to
 * the connector's own authorities; or the very certificate, pinned; and what was heard of its revocation. Its limit: who
 * was not asked in the session is not asked later.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { ClientCertificate } from '../contract/message.ts'
import { visible } from '../mail/peer-words.ts'
import { chainsTo, chainsToForClients } from '../tls/chain.ts'
import { anyNameMatches, presentedNames } from '../tls/names.ts'
import { firstOf } from './words.ts'

/** A certificate with its names read, and the instant for which it must be valid. */
export interface Presented {
  certificate: ClientCertificate
  /** In comparable form. */
  names: readonly string[]
  at: Date
}

export function present(certificate: ClientCertificate | null, at: Date): Presented | null {
  return certificate && { certificate, names: presentedNames(certificate), at }
}

/** Pinned, or of the right name and issued by whom the connector trusts; in its dates and not revoked either way. */
export function identifies(connector: InboundConnector, presented: Presented | null): boolean {
  return isKnown(connector, presented) && !isDisowned(connector, presented.certificate)
}

/** As identifies, whatever was heard of its revocation. */
export function isKnown(connector: InboundConnector, presented: Presented | null): presented is Presented {
  if (presented === null || !isInDates(presented)) return false
  if (isPinned(connector, presented)) return true
  return (
    hasName(connector, presented) && isTrusted(connector, presented) && isForPurpose(connector, presented)
  )
}

/** Every fault of a certificate that does not identify, in one clause each. */
export function certificateFaults(connector: InboundConnector, presented: Presented): string[] {
  const { certificate, names } = presented
  const { tlsSenderCertificateNames: expected, certificateFingerprints: pinned } = connector
  const faults: string[] = []
  if (presented.at > new Date(certificate.notAfter)) faults.push(`expired on ${certificate.notAfter}`)
  if (presented.at < new Date(certificate.notBefore)) faults.push(`not valid before ${certificate.notBefore}`)
  const disowned = revocationFault(connector, certificate)
  if (disowned !== null) faults.push(disowned)
  if (isPinned(connector, presented)) return faults
  if (expected.length > 0) {
    const distrusted = distrust(connector, presented)
    if (distrusted !== null)
      faults.push(`issued by ${issuerOf(certificate)}, which is not trusted (${distrusted})`)
    if (!isForPurpose(connector, presented)) faults.push('not issued for client authentication')
    if (!hasName(connector, presented))
      faults.push(`presented names ${listed(names)}, expected ${listed(expected)}`)
  }
  if (pinned.length > 0)
    faults.push(`fingerprint ${certificate.fingerprint256} is not among the ${pinned.length} pinned`)
  return faults
}

/** Known, and good for anything but that nobody says whether it is revoked, which the connector demands. */
export const isDoubtful = (connector: InboundConnector, presented: Presented | null): boolean =>
  isKnown(connector, presented) &&
  presented.certificate.revocation?.status !== 'Revoked' &&
  isDisowned(connector, presented.certificate)

const isDisowned = (connector: InboundConnector, certificate: ClientCertificate): boolean =>
  revocationFault(connector, certificate) !== null

/** Who was not asked in the session counts as one who did not answer. */
function revocationFault(
  { revocationCheck }: InboundConnector,
  { revocation }: ClientCertificate,
): string | null {
  if (revocationCheck === 'None') return null
  if (revocation?.status === 'Revoked') return `revoked (${visible(revocation.detail)})`
  if (revocationCheck === 'SoftFail' || revocation?.status === 'Good') return null
  const why = revocation ? visible(revocation.detail) : 'nobody was asked in its session'
  return `it cannot be found out whether it is revoked (${why})`
}

function isInDates({ certificate, at }: Presented): boolean {
  return new Date(certificate.notBefore) <= at && at <= new Date(certificate.notAfter)
}

const isPinned = ({ certificateFingerprints }: InboundConnector, { certificate }: Presented): boolean =>
  certificateFingerprints.includes(certificate.fingerprint256)

const hasName = ({ tlsSenderCertificateNames }: InboundConnector, { names }: Presented): boolean =>
  anyNameMatches(names, tlsSenderCertificateNames)

function isTrusted({ certificateAuthorities }: InboundConnector, { certificate, at }: Presented): boolean {
  return certificateAuthorities.length > 0
    ? chainsTo(certificate.chain, certificateAuthorities, at)
    : certificate.trusted
}

/** Along the path by which it is trusted: OpenSSL has seen the one to the public roots only. */
function isForPurpose(connector: InboundConnector, { certificate, at }: Presented): boolean {
  const { requireClientAuthEku, certificateAuthorities: own } = connector
  if (!requireClientAuthEku) return true
  return own.length > 0 && chainsTo(certificate.chain, own, at)
    ? chainsToForClients(certificate.chain, own, at)
    : certificate.clientAuth
}

const outOfDates = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

/**
 * Why the issuer is not trusted, or null when it is. Of a certificate that is out of its own dates, as of its last day
 * or its first: that it is out of them is said already, and is not its issuer's fault.
 */
function distrust(connector: InboundConnector, presented: Presented): string | null {
  const { certificate } = presented
  const own = connector.certificateAuthorities.length
  if (own === 0 && !isInDates(presented) && outOfDates.has(certificate.trustError ?? '')) return null
  if (isTrusted(connector, { ...presented, at: nearestDate(presented) })) return null
  if (own === 0) return certificate.trustError ?? 'no public root'
  if (certificate.chain.length === 0) return 'the chain that came with it is larger than what is read'
  return own === 1
    ? "it does not lead to the connector's own authority"
    : `it leads to none of the connector's ${own} own authorities`
}

function nearestDate({ certificate, at }: Presented): Date {
  const [first, last] = [new Date(certificate.notBefore), new Date(certificate.notAfter)]
  return at > last ? last : at < first ? first : at
}

const issuerOf = ({ issuer }: ClientCertificate): string => named(issuer) || 'nobody'

/** Its owner's own words, which go into replies, traces and mails: bounded, and nothing in them moves the rest. */
export const named = (subject: string): string => visible(subject.slice(0, 200))

/** Bounded: a certificate may hold a hundred names, and what is said travels on. */
export const listed = (names: readonly string[], most = 5): string => `[${firstOf(names, most)}]`
