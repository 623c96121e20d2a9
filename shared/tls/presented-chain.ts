/** Reads the chain that a peer presented. */
import type { X509Certificate } from 'node:crypto'
import type { CertificateSummary } from '../contract/certificate.ts'
import { summaryOf } from './certificate-summary.ts'
import { dnsNames } from './facts.ts'
import { fingerprintOf } from './fingerprint.ts'
import { validFrom, validTo } from './validity.ts'

const maxCertificates = 6
/** Certificates to verify: more than any path needs, few enough for a hostile chain. */
const maxVerified = 10

/** Leaf first. An unreadable certificate ends the list. */
export function presentedChain(leaf: X509Certificate | undefined): CertificateSummary[] {
  return walkChain(leaf, maxCertificates, describeCertificate)
}

/** Leaf first, base64 DER. */
export function encodedChain(leaf: X509Certificate | undefined): string[] {
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

/** Node writes one attribute on each line. */
const withCommas = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ')
