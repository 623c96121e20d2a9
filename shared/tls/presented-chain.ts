/** The chain a peer presented, for people to read. */
import type { X509Certificate } from 'node:crypto'
import type { CertificateSummary } from '../contract/certificate.ts'
import { summaryOf } from './certificate-summary.ts'
import { dnsNames } from './facts.ts'
import { fingerprintOf } from './fingerprint.ts'
import { validFrom, validTo } from './validity.ts'

const maximumCertificates = 6

/** Leaf first. A certificate that cannot be read ends the list. */
export function presentedChain(leaf: X509Certificate | undefined): CertificateSummary[] {
  const chain: CertificateSummary[] = []
  try {
    for (
      let certificate = leaf;
      certificate !== undefined && chain.length < maximumCertificates;
      certificate = certificate.issuerCertificate
    )
      chain.push(describe(certificate))
  } catch {
    return chain
  }
  return chain
}

function describe(certificate: X509Certificate): CertificateSummary {
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

/** Node writes one attribute a line. */
const withCommas = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ')
