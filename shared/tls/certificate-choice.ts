/**
 * Chooses the certificate that the ingress serves, and rejects unfit ones. The risk: an administrator installs an unfit
 * certificate, partners refuse it, and mail stops silently. The defence: before a certificate is served, its dates,
 * names and chain are checked as partners check them. A fault is reported, and the previous certificate stays in use.
 * Not covered: whether a partner trusts the root, and revocation.
 */
import { X509Certificate } from 'node:crypto'
import type { IngressCertificates } from '../contract/certificates.ts'
import { isIssuedBy } from './issued-by.ts'
import { certificateHasName, commonNameOf, dnsNames } from './names.ts'
import { certificatesIn } from './pem.ts'
import { allowsServerAuth } from './purpose.ts'
import { type ServerIdentity, serverIdentities } from './server-identity.ts'
import { validFrom, validTo } from './validity.ts'

/** In PEM: certificates with their issuers, and the key of each certificate. */
export interface CertificatesAndKeys {
  certificate: string
  privateKey: string
}

export interface CertificateFault {
  /**
   * `Unusable`: the certificates and keys cannot be read or do not match, or OpenSSL refuses them. With any other fault
   * a client that verifies nothing still accepts the certificate.
   */
  reason: 'Unusable' | 'NotYetValid' | 'Expired' | 'Name' | 'Purpose' | 'Chain'
  /** Human-readable text, which contains no part of a key. */
  detail: string
}

export interface ServingContext {
  /** The ingress's name in MX records. */
  hostname: string
  at: Date
  /**
   * Tests whether OpenSSL accepts the certificates and keys.
   * @throws Error in one line
   */
  checkWithOpenSsl?(certificates: CertificatesAndKeys): void
}

/**
 * An EC and an RSA certificate are served together or not at all.
 * @returns the first fault of either, or null when there is none
 */
export function findCertificateFault(
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
  const allCertificates = certificatesIn(certificate).map((pem) => new X509Certificate(pem))
  const faults = chains.map((chain) => dateFault(chain, at) ?? leafFault(chain, hostname))
  return faults.find((fault) => fault !== null) ?? chainFault(chains, allCertificates)
}

export interface CertificateChoice extends CertificatesAndKeys {
  state: 'Current' | 'Next'
  /**
   * The fault of the chosen certificate; null if it has none. The current certificate is chosen in spite of a fault,
   * unless the announced one is due and has none. The caller decides whether to serve a faulty certificate: it may be
   * better than none, but worse than the certificate that is served now.
   */
  fault: CertificateFault | null
  /** The fault of the announced certificate, which is then not served. Null when it has none, or none is announced. */
  nextFault: CertificateFault | null
  /**
   * The time from which the announced certificate is chosen. Null if it is chosen already or refused, or none is
   * announced.
   */
  changesAt: Date | null
}

export function chooseCertificates(set: IngressCertificates, context: ServingContext): CertificateChoice {
  const { at } = context
  const { certificate, privateKey, next } = set
  const current = { certificate, privateKey }
  const fault = findCertificateFault(current, context)
  const currentChoice = { ...current, state: 'Current', fault, nextFault: null, changesAt: null } as const
  if (!next) return currentChoice
  const from = nextServedFrom(set, next)
  const isDue = from <= at
  const nextFault = findCertificateFault(next, { ...context, at: isDue ? at : from })
  if (nextFault !== null) return { ...currentChoice, nextFault }
  if (!isDue) return { ...currentChoice, changesAt: from }
  return {
    certificate: next.certificate,
    privateKey: next.privateKey,
    state: 'Next',
    fault: null,
    nextFault: null,
    changesAt: null,
  }
}

/** The earliest expiry of the leaf certificates; null if the certificates or keys cannot be read. */
export function earliestExpiry({ certificate, privateKey }: CertificatesAndKeys): Date | null {
  try {
    const expiries = serverIdentities(privateKey, certificate).map(({ cert }) =>
      validTo(new X509Certificate(cert)).getTime(),
    )
    return new Date(Math.min(...expiries))
  } catch {
    return null
  }
}

/**
 * The time from which the next certificate is served: its announced date, or the expiry of the current one if that is
 * earlier. All clients that verify refuse an expired certificate; few refuse a certificate before its announced date.
 */
export function nextServedFrom(current: CertificatesAndKeys, next: { servedFrom: string }): Date {
  const announced = new Date(next.servedFrom)
  const expiry = earliestExpiry(current)
  return expiry !== null && expiry < announced ? expiry : announced
}

function dateFault(chain: readonly X509Certificate[], at: Date): CertificateFault | null {
  for (const certificate of chain) {
    const [from, to] = [validFrom(certificate), validTo(certificate)]
    // A comparison with an invalid date is false, so the certificate has a fault.
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
    const nameText = names.subjectAltNames.slice(0, 5).join(', ') || names.commonName || 'no name'
    return {
      reason: 'Name',
      detail: `${subjectAndFingerprint(leaf)} is for ${nameText}, not for ${hostname}`,
    }
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
 * @param allCertificates all certificates of the PEM
 */
function chainFault(
  chains: readonly (readonly X509Certificate[])[],
  allCertificates: readonly X509Certificate[],
): CertificateFault | null {
  const leaves = chains.flatMap(([leaf]) => leaf?.fingerprint256 ?? [])
  const issuers = allCertificates.filter(({ ca, fingerprint256 }) => ca && !leaves.includes(fingerprint256))
  for (const issuer of issuers)
    if (
      !allCertificates.some(
        (other) => other.fingerprint256 !== issuer.fingerprint256 && isIssuedBy(other, issuer),
      )
    )
      return {
        reason: 'Chain',
        detail: `${subjectAndFingerprint(issuer)} has issued none of the certificates beside it`,
      }
  const leafWithoutIssuer = chains.find(([leaf, above]) => leaf && !above && !isIssuedBy(leaf, leaf))?.[0]
  if (leafWithoutIssuer && issuers.length > 0)
    return {
      reason: 'Chain',
      detail: `the issuer of ${subjectAndFingerprint(leafWithoutIssuer)} is missing: ${onOneLine(leafWithoutIssuer.issuer)}`,
    }
  return null
}

const onOneLine = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ').slice(0, 200)

const subjectAndFingerprint = ({ subject, fingerprint256 }: X509Certificate): string =>
  `${onOneLine(subject)} (${fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase()})`

const isoText = (date: Date): string => (Number.isNaN(date.getTime()) ? 'no date' : date.toISOString())

const withSecretFieldNames = (message: string): string =>
  message.replaceAll('TLS_CERTIFICATE', 'certificate').replaceAll('TLS_PRIVATE_KEY', 'privateKey')
