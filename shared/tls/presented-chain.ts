/** Reads the chain that a peer presented. */
import type { X509Certificate } from 'node:crypto'
import type { CertificateSummary } from '../contract/certificate.ts'
import { summaryOf } from './certificate-summary.ts'
import { fingerprintOf } from './fingerprint.ts'
import { dnsNames } from './names.ts'
import { validFrom, validTo } from './validity.ts'

/** Limit for the certificates to summarise. */
const maxCertificates = 6
/** Limit for the certificates to verify: more than any path needs, and few enough to bound a hostile chain's cost. */
const maxVerified = 10

/** The certificates, leaf first. An unreadable certificate ends the list. */
export function summarisePresentedChain(leaf: X509Certificate | undefined): CertificateSummary[] {
  return walkChain(leaf, maxCertificates, describeCertificate)
}

/** The certificates in base64 DER, leaf first. */
export function encodePresentedChain(leaf: X509Certificate | undefined): string[] {
  return walkChain(leaf, maxVerified, ({ raw }) => raw.toString('base64'))
}

function walkChain<T>(
  leaf: X509Certificate | undefined,
  maxLength: number,
  read: (each: X509Certificate) => T,
): T[] {
  const chain: T[] = []
  try {
    for (let each = leaf; each !== undefined && chain.length < maxLength; each = each.issuerCertificate)
      chain.push(read(each))
  } catch {
    return chain
  }
  return chain
}

/** @throws RangeError for a certificate without dates */
export function describeCertificate(certificate: X509Certificate): CertificateSummary {
  return summaryOf({
    subject: withCommas(certificate.subject),
    issuer: withCommas(certificate.issuer),
    subjectAltNames: dnsNames(certificate.subjectAltName ?? ''),
    serial: certificate.serialNumber,
    fingerprint256: fingerprintOf(certificate),
    notBefore: validFrom(certificate).toISOString(),
    notAfter: validTo(certificate).toISOString(),
  })
}

/** Replaces the line breaks that Node writes between attributes. */
const withCommas = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ')
