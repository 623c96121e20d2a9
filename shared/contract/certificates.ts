/** Our own certificates: as their secret holds them, and as partners are told of them. */
import { z } from 'zod'

const pem = z.string().includes('-----BEGIN CERTIFICATE-----')
const keyPem = z.string().includes('PRIVATE KEY-----')

/**
 * The secret of the ingress (Secrets Manager, `tlsSecretArn`), in JSON. An ECDSA and an RSA certificate stand side by
 * side in each of its fields, in PEM, with their issuers. `certificate` and `privateKey` are served, until `next` is.
 */
export const IngressCertificates = z.object({
  certificate: pem,
  privateKey: keyPem,
  /** Since when; left out by whoever never announced it. */
  servedFrom: z.iso.datetime().optional(),
  /** Takes the place of the above at `servedFrom`. */
  next: z.object({ certificate: pem, privateKey: keyPem, servedFrom: z.iso.datetime() }).nullish(),
  /** What was served before, latest first. Its keys are gone. */
  deprecated: z.array(z.object({ certificate: pem, servedUntil: z.iso.datetime() })).default([]),
})
export type IngressCertificates = z.output<typeof IngressCertificates>

/** A certificate of ours, as partners prepare for it (GET /certificates). */
export const PublishedCertificate = z.strictObject({
  state: z.enum(['Current', 'Next', 'Deprecated']),
  /** What a partner's connector would name: the first alternative name, or the common name where there is none. */
  certificateName: z.string(),
  subjectAltNames: z.array(z.string()),
  subject: z.string(),
  organization: z.string().nullable(),
  organizationalUnit: z.string().nullable(),
  issuer: z.string(),
  /** The name at the top of the chain: whose root a partner must hold. */
  rootIssuer: z.string(),
  /** `RSA` or `EC`. */
  keyType: z.string(),
  /** Bits. */
  keyStrength: z.int(),
  /** Hexadecimal, upper case. */
  serial: z.string(),
  /** SHA-256, 64 lower-case hexadecimal digits. */
  fingerprint256: z.string(),
  /** SHA-256 of the subject's public key info, likewise: what a TLSA record 3 1 1 holds. */
  publicKeyFingerprint256: z.string(),
  validFrom: z.iso.datetime(),
  validUntil: z.iso.datetime(),
  /** Null where nobody knows since when, or until when. */
  servedFrom: z.iso.datetime().nullable(),
  servedUntil: z.iso.datetime().nullable(),
  /** Of the whole chain: what has to be let through a firewall to check it. */
  crlAddresses: z.array(z.string()),
  ocspAddresses: z.array(z.string()),
  /** PEM, the certificate first. */
  chain: z.string(),
})
export type PublishedCertificate = z.output<typeof PublishedCertificate>

export const PublishedCertificates = z.strictObject({
  hostname: z.string(),
  /** When what is told here last changed. */
  changedAt: z.iso.datetime(),
  /** Current, next, deprecated; of each ECDSA and RSA where there are both. */
  certificates: z.array(PublishedCertificate),
  /** In DNS, for current and next: `_25._tcp.mx.ours.example. IN TLSA 3 1 1 …`. */
  tlsaRecords: z.array(z.string()),
  /** What the ingress speaks: versions, suites by their IANA names, key exchange groups; most wanted first. */
  protocol: z.strictObject({
    versions: z.array(z.string()),
    cipherSuites: z.array(z.string()),
    groups: z.array(z.string()),
  }),
})
export type PublishedCertificates = z.output<typeof PublishedCertificates>
