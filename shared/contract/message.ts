/** A message on its way: what the ingress learnt of it, and what each later unit is told. */
import { z } from 'zod'
import { Revocation } from './revocation.ts'
import { TlsResult } from './tls-result.ts'

const timestamp = z.iso.datetime({ offset: false })

/** The certificate a client presented in the TLS handshake. Names are as in the certificate, not yet compared. */
export const ClientCertificate = z.strictObject({
  subject: z.string(),
  commonName: z.string().nullable(),
  /** dNSName entries of the subject alternative name. */
  subjectAltNames: z.array(z.string()),
  issuer: z.string(),
  /** Hexadecimal. */
  serial: z.string(),
  /** SHA-256 of the DER certificate, 64 lower-case hexadecimal digits. */
  fingerprint256: z.string().regex(/^[0-9a-f]{64}$/),
  notBefore: timestamp,
  notAfter: timestamp,
  /**
   * Whether the chain ends at a root of the public trust store, at the time of the handshake, for use by a server
   * or a client.
   */
  trusted: z.boolean(),
  /** OpenSSL's reason when it does not, such as `CERT_HAS_EXPIRED`. */
  trustError: z.string().nullable(),
  /** Whether it may be used for client authentication (RFC 5280 §4.2.1.12); public authorities give that up. */
  clientAuth: z.boolean().default(true),
  /** The presented chain, leaf first, base64 DER: a connector's own CAs are checked against it. */
  chain: z.array(z.string()).max(6),
  /** Whether it or its issuers were revoked, at the time of the session; left out where nobody was asked. */
  revocation: Revocation.optional(),
})
export type ClientCertificate = z.infer<typeof ClientCertificate>

/** What the TLS handshake of a session established. `group` is unknown on the server side of Node, so null there. */
export const TlsFacts = z.strictObject({
  negotiated: z.boolean(),
  /** `TLSv1.2` or `TLSv1.3`. */
  protocol: z.string().nullable(),
  /** IANA name, such as `TLS_AES_256_GCM_SHA384`. */
  cipher: z.string().nullable(),
  group: z.string().nullable(),
  forwardSecrecy: z.boolean(),
  /** SNI (RFC 6066 §3). */
  serverName: z.string().nullable(),
  clientCertificate: ClientCertificate.nullable(),
})
export type TlsFacts = z.infer<typeof TlsFacts>

/** No TLS at all. */
export const plaintext: TlsFacts = {
  negotiated: false,
  protocol: null,
  cipher: null,
  group: null,
  forwardSecrecy: false,
  serverName: null,
  clientCertificate: null,
}

/** Where a message's octets lie: a range of an object, several messages to an object (a segment). */
export const ContentReference = z.strictObject({
  bucket: z.string(),
  key: z.string(),
  offset: z.int().nonnegative(),
  length: z.int().nonnegative(),
  /** Of exactly those octets, lower-case hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})
export type ContentReference = z.infer<typeof ContentReference>

export const Envelope = z.strictObject({
  /** Reverse path without angle brackets; empty is the null reverse path of a DSN (RFC 5321 §4.5.5). */
  mailFrom: z.string(),
  smtpUtf8: z.boolean(),
  eightBitMime: z.boolean(),
  /** RFC 8689. */
  requireTls: z.boolean(),
  /** RFC 3461 §4.3, §4.4. */
  dsn: z.strictObject({ ret: z.enum(['FULL', 'HDRS']).nullable(), envid: z.string().nullable() }),
})
export type Envelope = z.infer<typeof Envelope>

/** An envelope that asks nothing of the next hop. */
export const plainEnvelope = (mailFrom: string): Envelope => ({
  mailFrom,
  smtpUtf8: false,
  eightBitMime: false,
  requireTls: false,
  dsn: { ret: null, envid: null },
})

export const Message = z.strictObject({
  /** ULID. */
  id: z.string().length(26),
  receivedAt: timestamp,
  /** The peer; null for a message this deployment made itself (a DSN). */
  source: z.strictObject({ ip: z.string(), port: z.int(), helo: z.string() }).nullable(),
  /** `Originating` is from our own organisation (an OnPremises connector, or this deployment). */
  direction: z.enum(['Originating', 'Incoming']),
  /** Id of the OnPremises inbound connector the mail is attributed to. */
  attributedTo: z.string().nullable(),
  tls: TlsFacts,
  envelope: Envelope,
  size: z.int().nonnegative(),
  content: ContentReference,
})
export type Message = z.infer<typeof Message>

/** A message that this deployment makes itself. */
export const ownMessage = (
  own: Pick<Message, 'id' | 'envelope' | 'content'> & { madeAt: Date },
): Message => ({
  id: own.id,
  receivedAt: own.madeAt.toISOString(),
  source: null,
  direction: 'Originating',
  attributedTo: null,
  tls: plaintext,
  envelope: own.envelope,
  size: own.content.length,
  content: own.content,
})

/** An SMTP reply (RFC 5321 §4.2) with its enhanced status code (RFC 3463). */
export const Reply = z.strictObject({
  code: z.int().min(200).max(599),
  /** `class.subject.detail`; empty when the peer gave none. */
  enhanced: z.string(),
  text: z.string(),
})
export type Reply = z.infer<typeof Reply>

/** The TLS session of one outbound attempt. */
export const AttemptTls = z.strictObject({
  protocol: z.string(),
  cipher: z.string(),
  group: z.string().nullable(),
  /** Whether the certificate satisfied a requirement that asked for verification. */
  verified: z.boolean(),
  /** Why it was not, where something was to be verified or the certificate would not have passed. */
  notVerified: z.string().nullable().default(null),
  /** SHA-256 of the certificate presented, or null where the hop does not show it (SES). */
  fingerprint256: z.string().nullable(),
  /** Whether it or its issuers were revoked; left out where nobody was asked. */
  revocation: Revocation.optional(),
})
export type AttemptTls = z.infer<typeof AttemptTls>

/** What was demanded of a next hop's TLS. `Dane`: what its TLSA records say (RFC 7672). */
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

/** One try at handing a message to its next hop, for one recipient. */
export const Attempt = z.strictObject({
  number: z.int().positive(),
  at: timestamp,
  /** `TlsNotMet`: the next hop's TLS did not satisfy the requirement, so nothing of the message was sent. */
  outcome: z.enum(['Delivered', 'TemporaryFailure', 'PermanentFailure', 'TlsNotMet']),
  host: z.string().nullable(),
  ip: z.string().nullable(),
  /** Null when the attempt ended before TLS or used none, and by SES, which does not show it. */
  tls: AttemptTls.nullable(),
  /** The level in force for the attempt. */
  policy: TlsLevel,
  /** Who demanded that level. */
  policySource: PolicySource.nullable().default(null),
  /** What was only watched: a connector in ReportOnly mode, a policy in mode `testing`. */
  onTrial: TlsLevel.nullable().default(null),
  /** As RFC 8460 §4.3 names it; null where there was no session to judge, and by SES. */
  tlsResult: TlsResult.nullable().default(null),
  /** What a connector in ReportOnly mode would have refused this attempt for. */
  reportOnly: Reply.nullable(),
  /** What the peer answered, or what the attempt came to when the peer did not answer. */
  reply: Reply,
  /** Whether the next hop was told when to notify the sender (RFC 3461 §5.2.1), so that this is its business now. */
  dsnPassedOn: z.boolean().optional(),
  /** The whole message was sent and nothing came back: the next attempt may be a second copy (RFC 5321 §6.1). */
  unanswered: z.boolean().optional(),
  durationMs: z.int().nonnegative(),
})
export type Attempt = z.infer<typeof Attempt>

/** One recipient of a message and what became of it so far; the full list of attempts is in the trace. */
export const Recipient = z.strictObject({
  address: z.string().min(1),
  /** RFC 3461 §4.1; null when the sender said nothing. */
  notify: z.array(z.enum(['NEVER', 'SUCCESS', 'FAILURE', 'DELAY'])).nullable(),
  /** RFC 3461 §4.2, still xtext. */
  orcpt: z.string().nullable(),
  /** Attempts made so far. */
  attempts: z.int().nonnegative(),
  lastAttempt: Attempt.nullable(),
  delayNotified: z.boolean(),
})
export type Recipient = z.infer<typeof Recipient>

/** A recipient to whom nothing was tried yet, and of whom the sender wants to know nothing in particular. */
export const untried = (address: string): Recipient => ({
  address,
  notify: null,
  orcpt: null,
  attempts: 0,
  lastAttempt: null,
  delayNotified: false,
})
