/**
 * Chooses the ingress's certificate to serve, and rejects unfit ones. The risk is our own mistake: an unfit certificate
 * is installed, partners refuse it, and mail stops silently. The defence: each certificate is checked by the dates,
 * names and chain that partners check, before it is served. A fault is reported, and the previous certificate stays in
 * use. The limit: whether a partner trusts the root, and revocation, are not checked.
 */
import { X509Certificate } from 'node:crypto'
import type { IngressCertificates } from '../contract/certificates.ts'
import { allowsServerAuth } from './chain.ts'
import { commonNameOf, dnsNames } from './facts.ts'
import { isIssuedBy } from './issued-by.ts'
import { certificateHasName } from './names.ts'
import { certificatesIn } from './pem.ts'
import { type ServerIdentity, serverIdentities } from './server-identity.ts'
import { validFrom, validTo } from './validity.ts'

/** PEM: certificates with their issuers, and the key of each certificate. */
export interface CertificatesAndKeys {
  certificate: string
  privateKey: string
}

export interface CertificateFault {
  /**
   * `Unusable`: it cannot be read, or its key is missing. A client that verifies nothing does not notice the other
   * faults.
   */
  reason: 'Unusable' | 'NotYetValid' | 'Expired' | 'Name' | 'Purpose' | 'Chain'
  /** For people; contains nothing of a key. */
  detail: string
}

export interface ServingContext {
  /** The ingress's name in MX records. */
  hostname: string
  at: Date
  /**
   * Tests whether OpenSSL accepts them.
   * @throws Error in one line
   */
  checkWithOpenSsl?(certificates: CertificatesAndKeys): void
}

/** @returns the first fault of any of them: an EC and an RSA certificate are served together or not at all */
export function certificateFault(
  { certificate, privateKey }: CertificatesAndKeys,
  { hostname, at, checkWithOpenSsl }: ServingContext,
): CertificateFault | null {
  let identities: ServerIdentity[]
  try {
    identities = serverIdentities(privateKey, certificate)
    checkWithOpenSsl?.({ certificate, privateKey })
  } catch (error) {
    return { reason: 'Unusable', detail: withSecretFieldNames((error as Error).message) }
  }
  const chains = identities.map(({ cert }) => certificatesIn(cert).map((pem) => new X509Certificate(pem)))
  const given = certificatesIn(certificate).map((pem) => new X509Certificate(pem))
  const faults = chains.map((chain) => dateFault(chain, at) ?? leafFault(chain, hostname))
  return faults.find((fault) => fault !== null) ?? chainFault(chains, given)
}

export interface CertificateChoice extends CertificatesAndKeys {
  state: 'Current' | 'Next'
  /**
   * The fault of the chosen certificate. It is the only one: it may be better than none, and worse than the one served
   * now.
   */
  fault: CertificateFault | null
  /** Why the announced certificate is not served, if there is one. */
  nextFault: CertificateFault | null
  /** The time at which the choice changes, if known. */
  until: Date | null
}

export function chooseCertificates(set: IngressCertificates, context: ServingContext): CertificateChoice {
  const { at } = context
  const { certificate, privateKey, next } = set
  const current = { certificate, privateKey }
  const fault = certificateFault(current, context)
  const own = { ...current, state: 'Current', fault, nextFault: null, until: null } as const
  if (!next) return own
  const from = nextServedFrom(set, next)
  const isDue = from <= at
  const nextFault = certificateFault(next, { ...context, at: isDue ? at : from })
  if (nextFault !== null) return { ...own, nextFault }
  if (!isDue) return { ...own, until: from }
  const { certificate: following, privateKey: key } = next
  return {
    certificate: following,
    privateKey: key,
    state: 'Next',
    fault: null,
    nextFault: null,
    until: null,
  }
}

/** The earliest expiry in a set; null if it cannot be read. */
export function earliestExpiry({ certificate, privateKey }: CertificatesAndKeys): Date | null {
  try {
    const ends = serverIdentities(privateKey, certificate).map(({ cert }) =>
      validTo(new X509Certificate(cert)).getTime(),
    )
    return new Date(Math.min(...ends))
  } catch {
    return null
  }
}

/**
 * The time at which the next certificate is served: its date, or the earlier expiry of the current one. All clients
 * that verify refuse an expired certificate; few refuse one that comes early.
 */
export function nextServedFrom(current: CertificatesAndKeys, next: { servedFrom: string }): Date {
  const announced = new Date(next.servedFrom)
  const end = earliestExpiry(current)
  return end !== null && end < announced ? end : announced
}

function dateFault(chain: readonly X509Certificate[], at: Date): CertificateFault | null {
  for (const certificate of chain) {
    const [from, to] = [validFrom(certificate), validTo(certificate)]
    // An invalid date compares false.
    if (!(from <= at))
      return {
        reason: 'NotYetValid',
        detail: `${subjectAndFingerprint(certificate)} is valid from ${isoText(from)}`,
      }
    if (!(at <= to))
      return { reason: 'Expired', detail: `${subjectAndFingerprint(certificate)} expires at ${isoText(to)}` }
  }
  return null
}

function leafFault([leaf]: readonly X509Certificate[], hostname: string): CertificateFault | null {
  if (!leaf) return null
  const names = { subjectAltNames: dnsNames(leaf.subjectAltName ?? ''), commonName: commonNameOf(leaf) }
  if (!certificateHasName(names, [hostname])) {
    const found = names.subjectAltNames.slice(0, 5).join(', ') || names.commonName || 'no name'
    return { reason: 'Name', detail: `${subjectAndFingerprint(leaf)} is for ${found}, not for ${hostname}` }
  }
  if (!allowsServerAuth(leaf))
    return {
      reason: 'Purpose',
      detail: `${subjectAndFingerprint(leaf)} is not for TLS servers (extended key usage)`,
    }
  return null
}

/**
 * @param chains leaf first
 * @param given all certificates of the PEM
 */
function chainFault(
  chains: readonly (readonly X509Certificate[])[],
  given: readonly X509Certificate[],
): CertificateFault | null {
  const leaves = chains.flatMap(([leaf]) => leaf?.fingerprint256 ?? [])
  const issuers = given.filter(({ ca, fingerprint256 }) => ca && !leaves.includes(fingerprint256))
  for (const issuer of issuers)
    if (!given.some((other) => other.fingerprint256 !== issuer.fingerprint256 && isIssuedBy(other, issuer)))
      return {
        reason: 'Chain',
        detail: `${subjectAndFingerprint(issuer)} has issued none of the certificates beside it`,
      }
  const withoutIssuer = chains.find(([leaf, above]) => leaf && !above && !isIssuedBy(leaf, leaf))?.[0]
  if (withoutIssuer && issuers.length > 0)
    return {
      reason: 'Chain',
      detail: `${subjectAndFingerprint(withoutIssuer)} comes without its issuer, ${onOneLine(withoutIssuer.issuer)}`,
    }
  return null
}

const onOneLine = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ').slice(0, 200)

const subjectAndFingerprint = ({ subject, fingerprint256 }: X509Certificate): string =>
  `${onOneLine(subject)} (${fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase()})`

const isoText = (date: Date): string => (Number.isNaN(date.getTime()) ? 'no date' : date.toISOString())

const withSecretFieldNames = (message: string): string =>
  message.replaceAll('TLS_CERTIFICATE', 'certificate').replaceAll('TLS_PRIVATE_KEY', 'privateKey')
