/**
 * An event is an immutable record of one thing that happened to mail or to the configuration. Its columns are a public
 * contract: a version may add columns, but never remove one or give it another meaning. A column that does not apply is
 * absent in the JSON of an event, and null in Parquet. docs/generated/events.md shows the columns.
 */
import { createHash } from 'node:crypto'
import * as z from 'zod'
import { AuthenticationResult } from './authentication.ts'
import { CertificateFacts } from './certificate.ts'
import { PolicySource, TlsLevel } from './message.ts'
import { Revocation } from './revocation.ts'
import { TlsResult } from './tls-result.ts'

/** Increases when columns are added. */
export const eventSchemaVersion = 2

export const EventKind = z.enum([
  'Rejected',
  'Accepted',
  'Decided',
  'Attempted',
  'Delivered',
  'Bounced',
  'Notified',
  'ConfigurationChanged',
  'CertificateSeen',
  'Requested',
  'AddressErased',
])
export type EventKind = z.infer<typeof EventKind>

/** What an administrator requests of mail that waits. */
export const MailRequestKind = z.enum(['Retry', 'Release', 'Return', 'Drop'])
export type MailRequestKind = z.infer<typeof MailRequestKind>

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** Characters of a column of a client certificate. Any client can present any certificate. */
export const maxCertificateColumnLength = 1000

/** The columns, in the order in which Parquet files have them. */
export const MailEvent = z.object({
  id: z
    .string()
    .min(22)
    .max(26)
    .describe('the same in every copy of the event; a copy that arrives twice counts once'),
  at: z.iso.datetime().describe('when it happened (UTC); of Decided: when the decision was due'),
  kind: EventKind.describe(
    'Rejected: a session, sender, recipient or message was refused. Accepted: a message got 250. Decided: a recipient is to be delivered or deferred. Attempted: an attempt did not deliver. Delivered, Bounced: the final states. Notified: a DSN was created. ConfigurationChanged: a connector or accepted domain was written. CertificateSeen: an endpoint presented a certificate for the first time. Requested: an administrator requested an act on mail that waits. AddressErased: an administrator erased what is stored of a mail address.',
  ),
  count: z
    .int()
    .positive()
    .optional()
    .describe('how often it happened; absent: once. Rejected events of an attack are counted together'),
  messageId: z.string().optional().describe('id of the message, as in the trace'),
  headerMessageId: z.string().optional().describe('field Message-ID of the message'),
  direction: z.enum(['Originating', 'Incoming']).optional(),
  sender: z.string().optional().describe('reverse path; empty for a DSN'),
  senderDomain: z.string().optional(),
  recipient: z.string().optional(),
  recipientDomain: z.string().optional(),
  recipients: z.int().nonnegative().optional().describe('number of recipients of an accepted message'),
  partner: z
    .string()
    .optional()
    .describe("domain of the other side: the sender's on arrival, the recipient's on departure"),
  inboundConnector: z.string().optional().describe('id of the connector that applied on arrival'),
  outboundConnector: z.string().optional().describe('id of the connector that applies to the next hop'),
  connectorsVersion: z
    .int()
    .nonnegative()
    .optional()
    .describe('number of changes of connectors and accepted domains before'),
  mode: z.enum(['Enforce', 'ReportOnly']).optional().describe('of the connector that decided'),
  requiredLevel: TlsLevel.optional().describe(
    'the TLS level that was enforced at the next hop; of Accepted and Rejected: that the inbound connector requires of the client',
  ),
  policySource: PolicySource.optional().describe('the source of that level'),
  tlsVersion: z.string().optional().describe('TLSv1.2 or TLSv1.3; absent in the clear'),
  cipher: z.string().optional(),
  group: z.string().optional().describe('key exchange group of the session with the next hop'),
  signatureAlgorithm: z
    .string()
    .optional()
    .describe("algorithm of the next hop's signature in the handshake"),
  verified: z
    .boolean()
    .optional()
    .describe("whether the next hop's certificate satisfied a requirement that demands verification"),
  notVerifiedBecause: z.string().optional(),
  clientCertificateSha256: sha256.optional().describe('the certificate that the client presented'),
  clientCertificateNames: z.string().optional().describe('its DNS names, separated by a space'),
  clientCertificateSubject: z.string().optional(),
  clientCertificateIssuer: z.string().optional(),
  clientCertificateVerdict: z
    .string()
    .optional()
    .describe('trusted, or why its chain does not end at a public root'),
  clientCertificateCommonName: z
    .string()
    .optional()
    .describe('its common name, if that names the host: the certificate has no alternative names'),
  clientCertificateValidity: CertificateFacts.shape.validity
    .exclude(['Valid'])
    .optional()
    .describe('absent: the session was within its dates'),
  clientAuth: z
    .boolean()
    .optional()
    .describe('whether it may be used for client authentication (RFC 5280 §4.2.1.12)'),
  serverCertificateSha256: sha256.optional().describe('the certificate that the next hop presented'),
  serverCertificateNames: z.string().optional().describe('its DNS names, separated by a space'),
  serverCertificateIssuer: z.string().optional(),
  serverCertificateVerdict: z
    .string()
    .optional()
    .describe('trusted, or why its chain does not end at a trust anchor of the session'),
  serverCertificateCommonName: z
    .string()
    .optional()
    .describe('its common name, if that names the host: the certificate has no alternative names'),
  trustAnchors: z
    .string()
    .optional()
    .describe(
      "digest of the connector's authorities, to which the certificate's chain leads; absent: public roots. Of Accepted: of the client's certificate",
    ),
  revocation: Revocation.shape.status.optional().describe("of the peer's certificate chain"),
  tlsResult: TlsResult.exclude(['success'])
    .optional()
    .describe(
      'result of the session with the next hop (RFC 8460 §4.3), if it is not success. A Delivered event with neither tlsVersion nor tlsResult went through Amazon SES, which does not show its session',
    ),
  requiredTlsVersion: z.enum(['TLSv1.3']).optional().describe('absent: TLSv1.2, where TLS was required'),
  connectorLevel: TlsLevel.exclude(['Dane'])
    .optional()
    .describe(
      'level of the outbound connector; absent: the enforced level if that is its, otherwise Opportunistic',
    ),
  smtpDaneMode: z
    .enum(['None', 'Mandatory'])
    .optional()
    .describe('of the outbound connector; absent: Opportunistic'),
  mtaStsMode: z
    .enum(['None', 'Mandatory'])
    .optional()
    .describe('of the outbound connector; absent: Opportunistic'),
  requireTls: z.boolean().optional().describe('true: the message was sent with REQUIRETLS (RFC 8689)'),
  tlsRequiredNo: z
    .boolean()
    .optional()
    .describe("true: the message's TLS-Required: No (RFC 8689) disabled DANE and MTA-STS in this attempt"),
  dmarc: AuthenticationResult.optional().describe('result of DMARC; absent: not checked'),
  fromDomain: z
    .string()
    .optional()
    .describe('domain of From:, where DMARC was checked; absent: there is not exactly one'),
  tenantIds: z
    .string()
    .optional()
    .describe('X-MS-Exchange-CrossTenant-Id, empty if there is none; absent: not read'),
  originatorOrganizations: z.string().optional().describe('X-OriginatorOrg, as tenantIds'),
  alignedSignatures: z
    .string()
    .optional()
    .describe(
      'domains with a valid DKIM signature that is aligned with From:; absent: not checked for a tenant',
    ),
  clientIp: z
    .string()
    .optional()
    .describe('the client; for rejections that are counted together, its network'),
  host: z.string().optional().describe('the next hop'),
  route: z
    .string()
    .optional()
    .describe('how the next hop was found: Mx, Ses, TlsReports, or the smart hosts, such as mx.example:25'),
  nextHops: z
    .int()
    .positive()
    .optional()
    .describe('number of next hops of the attempt, if there are several'),
  clientCertificateSecret: z
    .string()
    .optional()
    .describe('the secret with the certificate for a next hop that requests one'),
  helo: z.string().optional(),
  stage: z
    .enum(['Connect', 'Hello', 'StartTls', 'Mail', 'Rcpt', 'Data'])
    .optional()
    .describe('where in the session it was refused'),
  decision: z
    .enum([
      'Deliver',
      'Defer',
      'Bounce',
      'Refuse',
      'TemporaryFailure',
      'PermanentFailure',
      'TlsNotMet',
      'Unknown',
    ])
    .optional()
    .describe('the verdict, or the outcome of an attempt. Unknown: a worker died during the attempt'),
  reason: z.string().optional().describe('the reason of the decision, as in the trace'),
  reply: z.string().optional().describe('the reply given to the client, or by the next hop'),
  state: z
    .enum(['Pending', 'Deferred', 'Delivered', 'Bounced', 'Rejected'])
    .optional()
    .describe('the state of the recipient afterwards'),
  attempt: z.int().positive().optional().describe('number of the attempt, from 1'),
  size: z.int().nonnegative().optional().describe('octets of the message'),
  durationMs: z.int().nonnegative().optional().describe('of the attempt'),
  actor: z
    .string()
    .optional()
    .describe('who changed or requested it: IAM principal, or subject of the token'),
  resource: z.string().optional().describe('what was changed, as a path of the API'),
  before: z.string().optional().describe('JSON of the changed fields before; absent when created'),
  after: z.string().optional().describe('JSON of the changed fields afterwards; absent when deleted'),
  request: MailRequestKind.optional().describe(
    'Retry: decide now. Release: deliver despite the violation of an inbound connector. Return: bounce now. Drop: bounce now, without a DSN',
  ),
  comment: z
    .string()
    .optional()
    .describe("the administrator's reason for a request; of AddressErased: id of the erasure"),
  softwareVersion: z.string().describe('version of mailflow that wrote the event'),
})
export type MailEvent = z.infer<typeof MailEvent>

/**
 * Derives the id of an event, so that a repeated job writes the same event.
 * @param parts what makes the event unique within its kind, such as message, recipient and number of the attempt
 */
export function eventId(kind: EventKind, ...parts: readonly (string | number)[]): string {
  const digest = createHash('sha256')
    .update([kind, ...parts].join('\0'))
    .digest()
  return digest.subarray(0, 16).toString('base64url')
}

/**
 * The shard of an event. All events of a message are in one shard, so that each shard of an hour can be sealed alone.
 * @param shards a power of two, at most `maxEventShards`
 */
export const eventShard = ({ messageId, id }: Pick<MailEvent, 'messageId' | 'id'>, shards: number): number =>
  shardOfMessage(messageId ?? id) % shards

/** The largest number of shards of an hour, and the number of shards of a day in the index of messages. */
export const maxEventShards = 16

/** FNV-1a. The characters of ids are not evenly distributed, so none of them can be the shard. */
export const shardOfMessage = (id: string): number => messageHash(id) % maxEventShards

/** A seal divides an hour with many events by more bits of this hash than `maxEventShards` needs. */
export function messageHash(id: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < id.length; index++)
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193) >>> 0
  return (hash ^ (hash >>> 16)) >>> 0
}
