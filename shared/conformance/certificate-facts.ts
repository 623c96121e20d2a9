/** The facts about a presented chain that the criteria of certificates need. Pure. */
import type { X509Certificate } from 'node:crypto'
import { dayMs } from '../contract/durations.ts'
import { certificateHasName, commonNameOf, dnsNames } from '../tls/names.ts'
import { readRevocationEndpoints } from '../tls/revocation/endpoints.ts'
import { signatureName } from '../tls/signature-name.ts'
import { isSelfSigned, keyOf } from '../tls/unreadable-key.ts'
import { validFrom, validTo } from '../tls/validity.ts'
import type { CertificateConformanceFacts } from './facts.ts'

export interface PresentedCertificate {
  /** In the server's order, leaf first. */
  readonly chain: readonly [X509Certificate, ...X509Certificate[]]
  readonly isTrusted: boolean
  /** Whether the server stapled an OCSP response. */
  readonly isStapled: boolean
}

/** @param expected the name that the certificate must have; null when no name is given */
export function certificateConformanceFacts(
  { chain: presented, isTrusted, isStapled }: PresentedCertificate,
  expected: string | null,
): CertificateConformanceFacts {
  const [leaf] = presented
  const chain = presented.filter((certificate) => certificate === leaf || !isSelfSigned(certificate))
  const names = { subjectAltNames: dnsNames(leaf.subjectAltName ?? ''), commonName: commonNameOf(leaf) }
  return {
    keys: chain.map(keyText),
    signatures: chain.map(signatureName),
    isTrusted,
    hasName: expected !== null && certificateHasName(names, [expected]),
    lifetimeDays: Math.round((validTo(leaf).getTime() - validFrom(leaf).getTime()) / dayMs),
    namesOcspResponder: readRevocationEndpoints(leaf).ocsp.length > 0,
    isStapled,
  }
}

/** `RSA 2048`, a curve's name, or the type of another key. A server may present a key that OpenSSL cannot read. */
function keyText(certificate: X509Certificate): string {
  const key = keyOf(certificate)
  if (key === null) return 'unreadable'
  const { asymmetricKeyType, asymmetricKeyDetails } = key
  if (asymmetricKeyType?.startsWith('rsa')) return `RSA ${asymmetricKeyDetails?.modulusLength ?? 0}`
  return asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType ?? 'unknown'
}
