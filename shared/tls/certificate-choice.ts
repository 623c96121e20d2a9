/**
 * Which of our certificates is served, and which are not fit for it. The attack is our own mistake: a certificate that
 * partners refuse, put in place at night, and mail that stops without a word. The defence: each is judged by the dates,
 * names and chain by which partners will judge it, before it is served; what fails is named, and what was served before
 * is served on. The limit: whether a partner trusts the root, and whether the certificate was revoked, is not known here.
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
  /** `Unusable`: it cannot be read, or no key is its own. Of the others a client that verifies nothing sees nothing. */
  reason: 'Unusable' | 'NotYetValid' | 'Expired' | 'Name' | 'Purpose' | 'Chain'
  /** For people, without anything of a key. */
  detail: string
}

export interface Served {
  /** Our name in MX records. */
  hostname: string
  at: Date
  /** What only trying tells: whether OpenSSL takes them. @throws Error in one line */
  prove?(certificates: CertificatesAndKeys): void
}

/** @returns the first fault of any of them: an EC and an RSA certificate are served together, or neither is */
export function certificateFault(
  { certificate, privateKey }: CertificatesAndKeys,
  { hostname, at, prove }: Served,
): CertificateFault | null {
  let identities: ServerIdentity[]
  try {
    identities = serverIdentities(privateKey, certificate)
    prove?.({ certificate, privateKey })
  } catch (error) {
    return { reason: 'Unusable', detail: inWordsOfTheSecret((error as Error).message) }
  }
  const chains = identities.map(({ cert }) => certificatesIn(cert).map((pem) => new X509Certificate(pem)))
  const given = certificatesIn(certificate).map((pem) => new X509Certificate(pem))
  const faults = chains.map((chain) => dateFault(chain, at) ?? leafFault(chain, hostname))
  return faults.find((fault) => fault !== null) ?? chainFault(chains, given)
}

export interface Choice extends CertificatesAndKeys {
  state: 'Current' | 'Next'
  /** Of what is chosen. It is all there is: it may be better than none, and worse than what is served already. */
  fault: CertificateFault | null
  /** Why the next will not be served, if there is one. */
  refusedNext: CertificateFault | null
  /** When the choice is another one, as far as it is known. */
  until: Date | null
}

export function chooseCertificates(set: IngressCertificates, served: Served): Choice {
  const { at } = served
  const { certificate, privateKey, next } = set
  const current = { certificate, privateKey }
  const fault = certificateFault(current, served)
  const own = { ...current, state: 'Current', fault, refusedNext: null, until: null } as const
  if (!next) return own
  const from = dueAt(set, next)
  const isDue = from <= at
  const refusedNext = certificateFault(next, { ...served, at: isDue ? at : from })
  if (refusedNext !== null) return { ...own, refusedNext }
  if (!isDue) return { ...own, until: from }
  const { certificate: following, privateKey: key } = next
  return {
    certificate: following,
    privateKey: key,
    state: 'Next',
    fault: null,
    refusedNext: null,
    until: null,
  }
}

/** When the first certificate of a set ends; never, where that cannot be read. */
export function firstEnd({ certificate, privateKey }: CertificatesAndKeys): Date | null {
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
 * From when the next is served: its date, or the end of the current where that comes before. An expired certificate is
 * refused by all who look; one that comes before its time, by few.
 */
export function dueAt(current: CertificatesAndKeys, next: { servedFrom: string }): Date {
  const announced = new Date(next.servedFrom)
  const end = firstEnd(current)
  return end !== null && end < announced ? end : announced
}

function dateFault(chain: readonly X509Certificate[], at: Date): CertificateFault | null {
  for (const certificate of chain) {
    const [from, to] = [validFrom(certificate), validTo(certificate)]
    // A date that is none is neither before nor after.
    if (!(from <= at))
      return { reason: 'NotYetValid', detail: `${named(certificate)} is valid from ${instant(from)}` }
    if (!(at <= to)) return { reason: 'Expired', detail: `${named(certificate)} expires at ${instant(to)}` }
  }
  return null
}

function leafFault([leaf]: readonly X509Certificate[], hostname: string): CertificateFault | null {
  if (!leaf) return null
  const names = { subjectAltNames: dnsNames(leaf.subjectAltName ?? ''), commonName: commonNameOf(leaf) }
  if (!certificateHasName(names, [hostname])) {
    const found = names.subjectAltNames.slice(0, 5).join(', ') || names.commonName || 'no name'
    return { reason: 'Name', detail: `${named(leaf)} is for ${found}, not for ${hostname}` }
  }
  if (!allowsServerAuth(leaf))
    return { reason: 'Purpose', detail: `${named(leaf)} is not for TLS servers (extended key usage)` }
  return null
}

/** @param chains leaf first @param given all that stands in the PEM */
function chainFault(
  chains: readonly (readonly X509Certificate[])[],
  given: readonly X509Certificate[],
): CertificateFault | null {
  const leaves = chains.flatMap(([leaf]) => leaf?.fingerprint256 ?? [])
  const issuers = given.filter(({ ca, fingerprint256 }) => ca && !leaves.includes(fingerprint256))
  for (const issuer of issuers)
    if (!given.some((other) => other.fingerprint256 !== issuer.fingerprint256 && isIssuedBy(other, issuer)))
      return { reason: 'Chain', detail: `${named(issuer)} has issued none of the certificates beside it` }
  const lonely = chains.find(([leaf, above]) => leaf && !above && !isIssuedBy(leaf, leaf))?.[0]
  if (lonely && issuers.length > 0)
    return {
      reason: 'Chain',
      detail: `${named(lonely)} stands without its issuer, ${onOneLine(lonely.issuer)}`,
    }
  return null
}

const onOneLine = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ').slice(0, 200)

const named = ({ subject, fingerprint256 }: X509Certificate): string =>
  `${onOneLine(subject)} (${fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase()})`

const instant = (date: Date): string => (Number.isNaN(date.getTime()) ? 'no date' : date.toISOString())

const inWordsOfTheSecret = (message: string): string =>
  message.replaceAll('TLS_CERTIFICATE', 'certificate').replaceAll('TLS_PRIVATE_KEY', 'privateKey')
