/** Describes a published certificate in terms that Exchange administrators know. */
import type { PublishedCertificate } from '../contract/certificates.ts'

export interface Attribute {
  name: string
  /** Each value is displayed on its own line; empty if there are none. */
  values: readonly string[]
  /** Set for values that readers compare digit by digit, or copy. */
  isCode?: true
}

export function attributesOf(certificate: PublishedCertificate): Attribute[] {
  const { subjectAltNames, certificateName } = certificate
  const others = subjectAltNames.filter((name) => name !== certificateName)
  return [
    { name: 'Certificate authority root issuer', values: [certificate.rootIssuer] },
    { name: 'Certificate name', values: [certificateName] },
    ...(others.length > 0 ? [{ name: 'Further names', values: others }] : []),
    { name: 'Organization', values: [certificate.organization ?? 'none'] },
    { name: 'Organization unit', values: [certificate.organizationalUnit ?? 'none'] },
    {
      name: 'Certificate key strength',
      values: [`${certificate.keyType}, ${certificate.keyStrength} bits`],
    },
    { name: 'Issued by', values: [certificate.issuer] },
    { name: 'Valid from', values: [utcText(certificate.validFrom)] },
    { name: 'Valid until', values: [utcText(certificate.validUntil)] },
    { name: 'Served', values: [servedText(certificate)] },
    { name: 'Serial number', values: [certificate.serial], isCode: true },
    { name: 'SHA-256 of the certificate', values: [certificate.fingerprint256], isCode: true },
    { name: 'SHA-256 of its public key', values: [certificate.publicKeyFingerprint256], isCode: true },
    { name: 'CRL', values: certificate.crlAddresses, isCode: true },
    { name: 'OCSP', values: certificate.ocspAddresses, isCode: true },
  ]
}

function servedText({ state, servedFrom, servedUntil }: PublishedCertificate): string {
  const from = servedFrom === null ? null : `from ${utcText(servedFrom)}`
  const until = servedUntil === null ? null : `until ${utcText(servedUntil)}`
  const span = [from, until].filter((part) => part !== null).join(' ')
  if (span !== '') return span
  return state === 'Current' ? 'now' : 'unknown'
}

/** @param iso a time in ISO 8601 */
export const utcText = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`
