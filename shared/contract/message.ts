/** A message with its envelope, as the ingress received it and as every later unit reads it. */
import * as z from 'zod'
import { ExchangeOnlineFields, MessageAuthentication } from './authentication.ts'
import { Revocation } from './revocation.ts'
import { TlsResult } from './tls-result.ts'

const timestamp = z.iso.datetime({ offset: false })

/** The certificate that a client presented. Its names are spelled as in the certificate, not in comparable form. */
export const ClientCertificate = z.object({
  subject: z.string(),
  commonName: z.string().nullable(),
  /** dNSName entries of the subject alternative name. */
  subjectAltNames: z.array(z.string()),
  issuer: z.string(),
  /** Hexadecimal digits. */
  serial: z.string(),
  /** SHA-256 of the DER certificate, 64 lower-case hexadecimal digits. */
  fingerprint256: z.string().regex(/^[0-9a-f]{64}$/),
  notBefore: timestamp,
  notAfter: timestamp,
  trusted: z.boolean().describe('whether the chain ended at a public root at the time of the handshake'),
  trustError: z
    .string()
    .nullable()
    .describe("the reason if `trusted` is false: OpenSSL's code, such as CERT_HAS_EXPIRED, or a sentence"),
  clientAuth: z
    .boolean()
    .default(true)
    .describe('whether it may be used for client authentication (RFC 5280 §4.2.1.12)'),
  /** The presented chain, leaf first, base64 DER. It is verified with the CAs of a connector. */
  chain: z.array(z.string()).max(6),
  revocation: Revocation.optional().describe(
    'of the chain at the time of the session; absent if it was not checked',
  ),
})
export type ClientCertificate = z.infer<typeof ClientCertificate>

/** The result of a session's TLS handshake. */
export const TlsFacts = z.object({
  negotiated: z.boolean(),
  /** `TLSv1.2` or `TLSv1.3`. */
  protocol: z.string().nullable(),
  cipher: z.string().nullable().describe('IANA name'),
  group: z.string().nullable().describe('always null: Node does not show it to a server'),
  forwardSecrecy: z.boolean(),
  serverName: z.string().nullable().describe('SNI (RFC 6066 §3)'),
  clientCertificate: ClientCertificate.nullable(),
})
export type TlsFacts = z.infer<typeof TlsFacts>

/** A session without TLS. */
export const noTls: TlsFacts = {
  negotiated: false,
  protocol: null,
  cipher: null,
  group: null,
  forwardSecrecy: false,
  serverName: null,
  clientCertificate: null,
}

/** The octets of a message: a range of an S3 object, which may be a segment with several messages. */
export const ContentReference = z.object({
  bucket: z.string(),
  key: z.string(),
  offset: z.int().nonnegative(),
  length: z.int().nonnegative(),
  /** SHA-256 of exactly these octets, lower-case hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})
export type ContentReference = z.infer<typeof ContentReference>

export const Envelope = z.object({
  mailFrom: z.string().describe('reverse path; empty for a DSN'),
  smtpUtf8: z.boolean(),
  eightBitMime: z.boolean(),
  requireTls: z.boolean().describe('REQUIRETLS (RFC 8689)'),
  dsn: z
    .object({ ret: z.enum(['FULL', 'HDRS']).nullable(), envid: z.string().nullable() })
    .describe('RET and ENVID (RFC 3461)'),
})
export type Envelope = z.infer<typeof Envelope>

/** Returns an envelope without extensions. */
export const basicEnvelope = (mailFrom: string): Envelope => ({
  mailFrom,
  smtpUtf8: false,
  eightBitMime: false,
  requireTls: false,
  dsn: { ret: null, envid: null },
})

export const Message = z.object({
  /** ULID. */
  id: z.string().length(26),
  receivedAt: timestamp,
  /** The client; null for a message that this deployment created (a DSN, a report). */
  source: z.object({ ip: z.string(), port: z.int(), helo: z.string() }).nullable(),
  direction: z.enum(['Originating', 'Incoming']).describe('Originating: from the organisation'),
  attributedTo: z
    .string()
    .nullable()
    .describe('id of the OnPremises inbound connector that identified the client'),
  tls: TlsFacts,
  envelope: Envelope,
  canary: z
    .string()
    .optional()
    .describe('the recipient that the ingress has recognised as the address of a canary; usually absent'),
  exchangeOnline: ExchangeOnlineFields.optional().describe(
    'present if a connector with exchangeOnline could identify the client',
  ),
  authentication: MessageAuthentication.optional().describe('absent until the message was authenticated'),
  headerMessageId: z.string().max(998).optional().describe('field Message-ID; absent if there is none'),
  size: z.int().nonnegative(),
  content: ContentReference,
})
export type Message = z.infer<typeof Message>

/** Whether mail for the recipient is a canary. Only the ingress can say so, because it has compared the id. */
export const isCanary = (
  { canary }: Pick<Message, 'canary'>,
  { address }: Pick<Recipient, 'address'>,
): boolean => canary === address

/** Returns a message that this deployment creates. */
export const createOwnMessage = (
  fields: Pick<Message, 'id' | 'envelope' | 'content'> & { madeAt: Date; headerMessageId: string },
): Message => ({
  id: fields.id,
  receivedAt: fields.madeAt.toISOString(),
  source: null,
  direction: 'Originating',
  attributedTo: null,
  tls: noTls,
  envelope: fields.envelope,
  headerMessageId: fields.headerMessageId,
  size: fields.content.length,
  content: fields.content,
})

/** An SMTP reply (RFC 5321 §4.2) with its enhanced status code (RFC 3463). */
export const Reply = z.object({
  code: z.int().min(200).max(599),
  /** `class.subject.detail`; empty when the next hop gave none. */
  enhanced: z.string(),
  text: z.string(),
})
export type Reply = z.infer<typeof Reply>

/** The TLS session of one outbound attempt. */
export const AttemptTls = z.object({
  protocol: z.string(),
  cipher: z.string(),
  group: z.string().nullable().describe('key exchange group'),
  verified: z.boolean().describe('whether the certificate satisfied a requirement that demands verification'),
  notVerified: z
    .string()
    .nullable()
    .default(null)
    .describe('why `verified` is false, or that no requirement demanded verification'),
  fingerprint256: z.string().nullable().describe('SHA-256 of the certificate'),
  revocation: Revocation.optional().describe('of the chain; absent if it was not checked'),
  certificate: z
    .object({
      names: z.array(z.string()),
      /** Present if there are no alternative names. */
      commonName: z.string().optional(),
      issuer: z.string(),
      verdict: z.string(),
      /** Digest of the trust anchors of the verdict; absent: the public roots. */
      trustAnchors: z.string().optional(),
    })
    .optional()
    .describe(
      'DNS names and issuer of the certificate, and whether its chain is trusted by the requirement; internal',
    ),
})
export type AttemptTls = z.infer<typeof AttemptTls>

/** The level that was required of a next hop's TLS. `Dane`: its TLSA records (RFC 7672). */
export const TlsLevel = z.enum([
  'Opportunistic',
  'EncryptionOnly',
  'CertificateValidation',
  'DomainValidation',
  'Dane',
])
export type TlsLevel = z.infer<typeof TlsLevel>

export const PolicySource = z.enum(['Connector', 'Dane', 'MtaSts', 'RequireTls', 'Opportunistic'])
export type PolicySource = z.infer<typeof PolicySource>

/** One attempt to transmit a message to its next hop, for one recipient. */
export const Attempt = z.object({
  number: z.int().positive(),
  at: timestamp,
  /** `TlsNotMet`: the next hop's TLS did not satisfy the requirement, so no part of the message was sent. */
  outcome: z.enum(['Delivered', 'TemporaryFailure', 'PermanentFailure', 'TlsNotMet']),
  host: z.string().nullable(),
  ip: z.string().nullable(),
  /** Null when the attempt ended before TLS or used none, or went through SES, which does not show its session. */
  tls: AttemptTls.nullable(),
  /** The enforced level. */
  policy: TlsLevel,
  /** The source of the requirement for that level. */
  policySource: PolicySource.nullable().default(null),
  /** The version that the enforced level requires; absent: TLSv1.2. */
  requiredTlsVersion: z.literal('TLSv1.3').optional(),
  /** The header field TLS-Required: No disabled the policies of the recipient's domain; otherwise absent. */
  tlsRequiredNo: z.literal(true).optional(),
  /** Number of next hops, if there are several. */
  nextHops: z.int().positive().optional(),
  /** The level that was only reported: a connector in ReportOnly mode, or an MTA-STS policy in mode `testing`. */
  reportOnlyLevel: TlsLevel.nullable().default(null),
  /** Result type of RFC 8460 §4.3; null when no session can be assessed, and with SES. */
  tlsResult: TlsResult.nullable().default(null),
  /** The failure that a connector in ReportOnly mode would have caused. */
  reportOnly: Reply.nullable(),
  /** The next hop's reply, or a reply that describes why there was none. */
  reply: Reply,
  /** Whether the next hop got the NOTIFY parameters (RFC 3461 §5.2.1) and so became responsible for DSNs. */
  dsnPassedOn: z.boolean().optional(),
  /** The whole message was sent and no reply came: the next attempt may create a duplicate (RFC 5321 §6.1). */
  unanswered: z.boolean().optional(),
  /** Number of workers that began this attempt before and wrote no result; absent when there is none. */
  lost: z.int().positive().optional(),
  durationMs: z.int().nonnegative(),
})
export type Attempt = z.infer<typeof Attempt>

/** One recipient and its last attempt; the trace holds all attempts. */
export const Recipient = z.object({
  address: z.string().min(1),
  /** NOTIFY (RFC 3461 §4.1); null when the sender gave none. */
  notify: z.array(z.enum(['NEVER', 'SUCCESS', 'FAILURE', 'DELAY'])).nullable(),
  /** ORCPT (RFC 3461 §4.2), still xtext. */
  orcpt: z.string().nullable(),
  /** Number of attempts so far. */
  attempts: z.int().nonnegative(),
  lastAttempt: Attempt.nullable(),
  delayNotified: z.boolean(),
})
export type Recipient = z.infer<typeof Recipient>

/** Returns a recipient without attempts and without DSN parameters. */
export const newRecipient = (address: string): Recipient => ({
  address,
  notify: null,
  orcpt: null,
  attempts: 0,
  lastAttempt: null,
  delayNotified: false,
})
