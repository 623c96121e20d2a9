/** The certificates of the ingress, as its secret holds them and as they are published to partners. */
import * as z from 'zod'

const pem = z.string().includes('-----BEGIN CERTIFICATE-----')
const keyPem = z.string().includes('PRIVATE KEY-----')

/**
 * The ingress's secret (Secrets Manager, `tlsSecretArn`) as JSON. Each field `certificate` holds an ECDSA certificate,
 * an RSA certificate, or both, in PEM with their issuers. The ingress serves the outer `certificate` until
 * `next.servedFrom`.
 */
export const IngressCertificates = z.object({
  certificate: pem,
  privateKey: keyPem,
  /** When the ingress began to serve `certificate`. Absent when that time was never announced. */
  servedFrom: z.iso.datetime().optional(),
  /**
   * Replaces `certificate` and `privateKey` at `servedFrom`. `plannedFrom`: the date for which it was announced, while
   * it waits for its TLSA record.
   */
  next: z
    .object({
      certificate: pem,
      privateKey: keyPem,
      servedFrom: z.iso.datetime(),
      plannedFrom: z.iso.datetime().optional(),
    })
    .nullish(),
  /** Earlier certificates, latest first, without keys. */
  deprecated: z.array(z.object({ certificate: pem, servedUntil: z.iso.datetime() })).default([]),
})
export type IngressCertificates = z.output<typeof IngressCertificates>

/** One certificate in the response to GET /certificates. Partners use it to prepare for a rotation. */
export const PublishedCertificate = z.strictObject({
  state: z.enum(['Current', 'Next', 'Deprecated']).describe('at the time of the response'),
  certificateName: z
    .string()
    .describe("the name for a partner's connector: the first alternative name, or the common name"),
  subjectAltNames: z.array(z.string()),
  subject: z.string(),
  organization: z.string().nullable(),
  organizationalUnit: z.string().nullable(),
  issuer: z.string(),
  rootIssuer: z.string().describe('the issuer at the top of the chain; a partner must trust this root'),
  keyType: z.string().describe('RSA or EC'),
  keyStrength: z.int().describe('bits'),
  serial: z.string().describe('hexadecimal, upper case'),
  fingerprint256: z.string().describe('SHA-256 of the certificate, hexadecimal'),
  publicKeyFingerprint256: z
    .string()
    .describe('SHA-256 of the public key, hexadecimal: the data of a TLSA record 3 1 1'),
  validFrom: z.iso.datetime(),
  validUntil: z.iso.datetime(),
  servedFrom: z.iso.datetime().nullable().describe('null if unknown'),
  servedUntil: z.iso.datetime().nullable().describe('null if unknown'),
  crlAddresses: z.array(z.string()).describe('of the whole chain'),
  ocspAddresses: z.array(z.string()).describe('of the whole chain'),
  chain: z.string().describe('PEM, the certificate first'),
})
export type PublishedCertificate = z.output<typeof PublishedCertificate>

/** Whether the TLSA records of the host permit the next certificates. */
export const TlsaStatus = z.strictObject({
  state: z
    .enum(['Missing', 'Unknown', 'Visible'])
    .describe(
      'Missing: senders that use DANE would refuse the next certificate, so it waits; Unknown: the lookup failed, so it waits; Visible: the records match it',
    ),
  since: z.iso.datetime().describe('when this state was first observed'),
  usableFrom: z.iso
    .datetime()
    .nullable()
    .describe('when the matching records have been visible for two TTLs; null unless Visible'),
  records: z.array(z.string()).describe('the DNS records to publish, for the keys of the next certificates'),
})
export type TlsaStatus = z.output<typeof TlsaStatus>

export const PublishedCertificates = z.strictObject({
  hostname: z.string().describe('the name in the MX records'),
  changedAt: z.iso.datetime().describe('when a field below last changed'),
  certificates: z
    .array(PublishedCertificate)
    .describe('current, next, then deprecated; an ECDSA and an RSA certificate of each where both exist'),
  tlsaRecords: z
    .array(z.string())
    .describe('DNS records 3 1 1 for the keys of the current and the next certificates'),
  nextTlsa: TlsaStatus.optional().describe(
    'absent unless a next certificate is announced and senders that use DANE find TLSA records',
  ),
  protocol: z
    .strictObject({
      versions: z.array(z.string()),
      cipherSuites: z.array(z.string()),
      groups: z.array(z.string()),
    })
    .describe('offered by the ingress, in order of preference; cipher suites with IANA names'),
})
export type PublishedCertificates = z.output<typeof PublishedCertificates>
