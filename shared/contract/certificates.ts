/** The certificates of the ingress, as its secret holds them and as they are published to partners. */
import { z } from 'zod'

const pem = z.string().includes('-----BEGIN CERTIFICATE-----')
const keyPem = z.string().includes('PRIVATE KEY-----')

/**
 * The ingress's secret (Secrets Manager, `tlsSecretArn`) as JSON. Each certificate field holds PEM with issuers: ECDSA,
 * RSA, or both. The ingress serves `certificate` until `next.servedFrom`.
 */
export const IngressCertificates = z.object({
  certificate: pem,
  privateKey: keyPem,
  /** Absent when the start was never announced. */
  servedFrom: z.iso.datetime().optional(),
  /** Replaces `certificate` and `privateKey` at `servedFrom`. */
  next: z.object({ certificate: pem, privateKey: keyPem, servedFrom: z.iso.datetime() }).nullish(),
  /** Earlier certificates, latest first, without keys. */
  deprecated: z.array(z.object({ certificate: pem, servedUntil: z.iso.datetime() })).default([]),
})
export type IngressCertificates = z.output<typeof IngressCertificates>

/** One certificate in the answer to GET /certificates, by which partners prepare for it. */
export const PublishedCertificate = z.strictObject({
  state: z.enum(['Current', 'Next', 'Deprecated']),
  /** The name for a partner's connector: the first alternative name, or the common name. */
  certificateName: z.string(),
  subjectAltNames: z.array(z.string()),
  subject: z.string(),
  organization: z.string().nullable(),
  organizationalUnit: z.string().nullable(),
  issuer: z.string(),
  /** The issuer at the top of the chain. A partner must trust this root. */
  rootIssuer: z.string(),
  /** `RSA` or `EC`. */
  keyType: z.string(),
  /** Bits. */
  keyStrength: z.int(),
  /** Hexadecimal, upper case. */
  serial: z.string(),
  /** SHA-256, 64 lower-case hexadecimal digits. */
  fingerprint256: z.string(),
  /** SHA-256 of the SubjectPublicKeyInfo, 64 lower-case hexadecimal digits: the data of a TLSA record 3 1 1. */
  publicKeyFingerprint256: z.string(),
  validFrom: z.iso.datetime(),
  validUntil: z.iso.datetime(),
  /** Null when unknown. */
  servedFrom: z.iso.datetime().nullable(),
  servedUntil: z.iso.datetime().nullable(),
  /** URLs of the whole chain. A firewall must allow them, or nothing can be checked for revocation. */
  crlAddresses: z.array(z.string()),
  ocspAddresses: z.array(z.string()),
  /** PEM, leaf first. */
  chain: z.string(),
})
export type PublishedCertificate = z.output<typeof PublishedCertificate>

export const PublishedCertificates = z.strictObject({
  hostname: z.string(),
  /** When the content below last changed. */
  changedAt: z.iso.datetime(),
  /** Current, next, then deprecated; an ECDSA and an RSA certificate of each where both exist. */
  certificates: z.array(PublishedCertificate),
  /** DNS records for the current and the next certificates: `_25._tcp.mx.ours.example. IN TLSA 3 1 1 …`. */
  tlsaRecords: z.array(z.string()),
  /** TLS versions, IANA names of cipher suites, and key exchange groups, each in order of preference. */
  protocol: z.strictObject({
    versions: z.array(z.string()),
    cipherSuites: z.array(z.string()),
    groups: z.array(z.string()),
  }),
})
export type PublishedCertificates = z.output<typeof PublishedCertificates>
