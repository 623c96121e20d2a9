/**
 * Creates a human-readable summary of a certificate. The certificate's owner chose the texts, so they are cut, and
 * invisible characters are replaced.
 */
import type { CertificateSummary } from '../contract/certificate.ts'
import { replaceInvisible } from '../mail/peer-text.ts'

export const maxSummaryNames = 20
const maxNameLength = 255
const maxSerialLength = 64

/** @param certificate has texts of any length */
export function summaryOf(certificate: CertificateSummary): CertificateSummary {
  const { subject, issuer, subjectAltNames, serial, fingerprint256, notBefore, notAfter } = certificate
  return {
    subject: bounded(subject),
    issuer: bounded(issuer),
    subjectAltNames: subjectAltNames.slice(0, maxSummaryNames).map(bounded),
    serial: bounded(serial).slice(0, maxSerialLength),
    fingerprint256,
    notBefore,
    notAfter,
  }
}

/** One line for each attribute, for notices. */
export function summaryText(certificate: CertificateSummary): string {
  const { fingerprint256, subject, subjectAltNames, issuer, serial, notBefore, notAfter } = certificate
  return [
    `  SHA-256  ${fingerprint256}`,
    `  Subject  ${subject}`,
    `  Names    ${subjectAltNames.join(', ') || 'none'}`,
    `  Issuer   ${issuer}`,
    `  Serial   ${serial}`,
    `  Valid    ${notBefore} to ${notAfter}`,
  ].join('\n')
}

const bounded = (text: string): string => replaceInvisible(text.slice(0, maxNameLength))
