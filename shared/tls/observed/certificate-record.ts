/**
 * Builds the stored form of a presented certificate. The attacks: a self-made certificate with a thousand names fills
 * the table; invisible characters in a name make a notice misleading. The defence: the number and the length of texts
 * are limited, and invisible characters are replaced, before texts are stored. Not covered: the certificate's owner
 * chose the texts, so only the fingerprints identify the certificate.
 */
import { createHash, type KeyObject, X509Certificate } from 'node:crypto'
import type { CertificateRecord } from '../../contract/certificate.ts'
import type { ClientCertificate } from '../../contract/message.ts'
import type { EstablishedTls } from '../assess-server-tls.ts'
import { summaryOf } from '../certificate-summary.ts'
import { anyNameMatches, presentedNames } from '../names.ts'
import { certificatesIn } from '../pem.ts'
import { describeCertificate } from '../presented-chain.ts'

/** @returns null if the next hop presented no certificate, or an unreadable one */
export function recordOfServer({ certificates, chain }: EstablishedTls): CertificateRecord | null {
  const [summary] = certificates
  return summary === undefined ? null : { ...summary, ...keyOf(parseCertificate(chain[0])) }
}

export function recordOfClient(certificate: ClientCertificate): CertificateRecord {
  return { ...summaryOf(certificate), ...keyOf(parseCertificate(certificate.chain[0])) }
}

/**
 * @param pem any text; its first certificate is used
 * @returns null if the text contains no certificate, or the first cannot be read
 */
export function recordOfPem(pem: string): CertificateRecord | null {
  const [first] = certificatesIn(pem)
  try {
    const certificate = new X509Certificate(first ?? '')
    return { ...describeCertificate(certificate), ...keyOf(certificate) }
  } catch {
    return null
  }
}

/**
 * A name for a sender's certificate that stays the same after a renewal with the same names: of the certificate's host
 * names, the alphabetically first that the connector expects, or else the alphabetically first. Without a host name it
 * is the fingerprint, which a renewal changes. The client's address and HELO name are not used, because they differ
 * between a sender's servers.
 */
export function clientCertificateName(
  { subjectAltNames, commonName, fingerprint256 }: ClientCertificate,
  expected: readonly string[],
): string {
  const names = presentedNames({ subjectAltNames, commonName }).sort()
  return names.find((name) => anyNameMatches([name], expected)) ?? names[0] ?? fingerprint256
}

function parseCertificate(der: string | undefined): X509Certificate | null {
  try {
    return der === undefined ? null : new X509Certificate(Buffer.from(der, 'base64'))
  } catch {
    return null
  }
}

function keyOf(
  certificate: X509Certificate | null,
): Pick<CertificateRecord, 'keyType' | 'publicKeyFingerprint256'> {
  try {
    const key = certificate?.publicKey
    return key === undefined
      ? unreadableKey
      : { keyType: kindOf(key), publicKeyFingerprint256: digestOf(key) }
  } catch {
    return unreadableKey
  }
}

const unreadableKey = { keyType: null, publicKeyFingerprint256: null }

const digestOf = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')

function kindOf({ asymmetricKeyType: kind }: KeyObject): string | null {
  if (kind === undefined) return null
  return kind === 'ec' ? 'EC' : kind.startsWith('rsa') ? 'RSA' : kind
}
