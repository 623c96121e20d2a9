/** The chain a peer presented, for people to read. It is the peer's own words, so it is bounded here. */
import type { X509Certificate } from 'node:crypto'
import type { CertificateSummary } from '../contract/certificate.ts'
import { visible } from './certificate-summary.ts'
import { dnsNames } from './facts.ts'
import { validFrom, validTo } from './validity.ts'

const maximumCertificates = 6
const maximumNames = 20
const maximumName = 255

/** Leaf first. A certificate that cannot be read ends the list. */
export function presentedChain(leaf: X509Certificate | undefined): CertificateSummary[] {
  const chain: CertificateSummary[] = []
  try {
    for (
      let certificate = leaf;
      certificate !== undefined && chain.length < maximumCertificates;
      certificate = certificate.issuerCertificate
    )
      chain.push(summaryOf(certificate))
  } catch {
    return chain
  }
  return chain
}

function summaryOf(certificate: X509Certificate): CertificateSummary {
  const names = dnsNames(certificate.subjectAltName ?? '')
  return {
    subject: inOneLine(certificate.subject),
    issuer: inOneLine(certificate.issuer),
    subjectAltNames: names.slice(0, maximumNames).map((name) => name.slice(0, maximumName)),
    serial: certificate.serialNumber.slice(0, 64),
    fingerprint256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: validFrom(certificate).toISOString(),
    notAfter: validTo(certificate).toISOString(),
  }
}

/** Node writes one attribute a line. */
const inOneLine = (name: string | undefined): string =>
  visible((name ?? '').replaceAll('\n', ', ').slice(0, maximumName))
