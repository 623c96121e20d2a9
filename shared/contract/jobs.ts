/**
 * The jobs of the queues. Each body is JSON, parsed once on receipt. During a deployment, and after a rollback,
 * one version reads the jobs of another. So a version may add optional fields to a job, but it may not remove fields or
 * give them another meaning. A reader ignores fields that it does not know, and leaves them out of the jobs that it
 * sends. Routes and TLS requirements are exceptions: without an unknown field of theirs, mail could leave without the
 * protection that it needs. A job that must not be read without a new field, or that has a new kind, names a feature in
 * `requires`. A reader that does not know the feature, or a field of a route or requirement, leaves the job on the queue
 * (shared/lambda/read-job.ts).
 */
import * as z from 'zod'
import { CertificateFacts, CertificateRecord } from './certificate.ts'
import { Message, Recipient, Reply } from './message.ts'
import { splitIntoParts } from './parts.ts'
import { RevocationCheck } from './revocation.ts'
import { toUnicodeEscapes } from './visible-text.ts'

const jobFields = {
  /** Features without which the job must not be read. */
  requires: z.array(z.string()).optional(),
}

/** The features that this version knows. */
const knownFeatures: ReadonlySet<string> = new Set(['canary', 'mandatory-policies'])

const JobWithFeatures = z.object({ requires: z.array(z.string()) })

/** Returns the features that a job requires and this version does not know. */
export function unknownFeatures(body: unknown): string[] {
  const { success, data } = JobWithFeatures.safeParse(body)
  return success ? data.requires.filter((feature) => !knownFeatures.has(feature)) : []
}

export const SmartHost = z.strictObject({ host: z.string().min(1), port: z.int().min(1).max(65535) })
export type SmartHost = z.infer<typeof SmartHost>

/** The next hop of a message. */
export const Route = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('Mx'), domain: z.string() }),
  z.strictObject({ kind: z.literal('SmartHosts'), hosts: z.array(SmartHost).min(1) }),
  z.strictObject({ kind: z.literal('Ses') }),
  /** No next hop: the message is another domain's report on TLS with this deployment (RFC 8460), and is stored. */
  z.strictObject({ kind: z.literal('TlsReports') }),
  /** No next hop: the arrival of a canary is recorded. The job requires the feature `canary`. */
  z.strictObject({ kind: z.literal('Canary') }),
])
export type Route = z.infer<typeof Route>

/** Writes a route for its event: the smart hosts in the order of the connector, otherwise the kind of the route. */
export const routeText = (route: Route): string =>
  route.kind === 'SmartHosts' ? route.hosts.map(({ host, port }) => `${host}:${port}`).join(' ') : route.kind

/** Characters of a route in an event; the smart hosts of a connector may have more. */
export const maxRouteLength = 1000

/** Whether a policy of the recipient's domain is used. Without one, `Mandatory` lets the message wait. */
export const PublishedPolicyMode = z.enum(['Opportunistic', 'Mandatory', 'None'])

/** The conditions that the next hop's TLS must satisfy before any octet of the message is sent. */
export const TlsRequirement = z.strictObject({
  level: z.enum(['Opportunistic', 'EncryptionOnly', 'CertificateValidation', 'DomainValidation']),
  /** `ReportOnly`: evaluated and recorded, not enforced. */
  mode: z.enum(['Enforce', 'ReportOnly']),
  /** The name that the certificate must contain; set only when the level is DomainValidation. */
  tlsDomain: z.string().nullable(),
  /** PEM; empty means the public roots. */
  certificateAuthorities: z.array(z.string()),
  minimumTlsVersion: z.enum(['TLSv1.2', 'TLSv1.3']),
  /** Whether the next hop's TLSA records are used (RFC 7672). */
  smtpDaneMode: PublishedPolicyMode.default('Opportunistic'),
  /** Whether the domain's MTA-STS policy is used (RFC 8461). */
  mtaStsMode: PublishedPolicyMode.default('Opportunistic'),
  /** Which revocation result makes a certificate untrusted. */
  revocationCheck: RevocationCheck.default('SoftFail'),
  /** The last part of the name of the secret with the client certificate, for a next hop that requests one. */
  clientCertificate: z.string().nullable().default(null),
})
export type TlsRequirement = z.infer<typeof TlsRequirement>

/** A connector's id, and its name when the job was created. */
export const ConnectorName = z.object({ id: z.string(), name: z.string() })
export type ConnectorName = z.infer<typeof ConnectorName>

/** The decision that led to an attempt, for its event. */
export const AttemptContext = z.object({
  /** Id of the outbound connector; null when none matches. */
  connector: z.string().nullable(),
  connectorsVersion: z.int().nonnegative().optional(),
  mode: TlsRequirement.shape.mode,
  /** As `routeText` writes it, up to `maxRouteLength`. */
  route: z.string().optional(),
  level: TlsRequirement.shape.level.optional(),
  /** Absent: Opportunistic. */
  smtpDaneMode: PublishedPolicyMode.exclude(['Opportunistic']).optional(),
  mtaStsMode: PublishedPolicyMode.exclude(['Opportunistic']).optional(),
  /** The last part of the name of the secret with the client certificate. */
  clientCertificateSecret: z.string().optional(),
})
export type AttemptContext = z.infer<typeof AttemptContext>

/**
 * Requests a decision about these recipients. Senders: the ingress, bounce-message and report-tls for a new message;
 * deliver-message for the result of an attempt and for a stale decision; evaluate-policy for a deferred message, as a
 * timer; the API for an administrator. evaluate-policy sends a job whose message needs authentication to the
 * authentication queue, and authenticate-message returns it with the results.
 */
export const EvaluationJob = z.object({
  ...jobFields,
  message: Message,
  recipients: z.array(Recipient).min(1),
  /** Before this time the job returns to the queue. Null for a new message and for the result of an attempt. */
  notBefore: z.iso.datetime().nullable(),
  /**
   * True for a request of an administrator, and after a stale decision: the decision is made as if the time of the next
   * attempt had come.
   */
  retry: z.boolean().optional(),
  /** Number of recipients of a message whose recipients do not fit one job; otherwise absent. */
  recipientsInAll: z.int().positive().optional(),
  /** What deliver-message knows of the attempts whose results it reports; absent in other jobs. */
  attempted: AttemptContext.optional(),
})
export type EvaluationJob = z.infer<typeof EvaluationJob>

/**
 * Which workers make an attempt. Each priority has its own queue and its own workers, so that servers that hang occupy
 * only the workers of their own priority.
 */
export const DeliveryPriority = z.enum(['Normal', 'Unproven', 'Low'])
export type DeliveryPriority = z.infer<typeof DeliveryPriority>

/** Requests one attempt for these recipients. They share destination, route, requirement and attempt number. */
export const DeliveryJob = z.object({
  ...jobFields,
  message: Message,
  recipients: z.array(Recipient).min(1),
  /**
   * The recipients' domain. It is the queue's message group, so that mail to a slow domain does not delay other mail.
   */
  destination: z.string(),
  route: Route,
  tls: TlsRequirement,
  /** Number of the attempt to make, from 1. */
  attempt: z.int().positive(),
  /** The connector for the recipients' domain; absent when none matches. */
  connector: ConnectorName.optional(),
  /**
   * The version of the connectors behind this decision. When the version has changed before the attempt, the recipients
   * get a new decision.
   */
  connectorsVersion: z.int().nonnegative().optional(),
  /**
   * Number of returns to the queue because all slots of the next hop, or of the slow hosts, were in use, because no
   * time could be reserved for Amazon SES, or because Amazon SES throttles requests.
   */
  waits: z.int().nonnegative().optional(),
  /** The time that is reserved in the quota of Amazon SES for this job; absent when none is. */
  sendAt: z.iso.datetime().optional(),
  /** Absent when an administrator chose the servers; then the job counts as `Normal` and its attempts have no limit. */
  priority: DeliveryPriority.optional(),
})
export type DeliveryJob = z.infer<typeof DeliveryJob>

/** The `Action` field of a DSN (RFC 3464 §2.3.3). */
export const DsnKind = z.enum(['failed', 'delayed', 'relayed', 'delivered'])
export type DsnKind = z.infer<typeof DsnKind>

/** Requests a DSN to the sender. */
export const BounceJob = z.object({
  ...jobFields,
  message: Message,
  kind: DsnKind,
  /** Whether a failure DSN may return the whole message; otherwise it returns the headers. */
  returnsContent: z.boolean().optional(),
  at: z.iso.datetime(),
  recipients: z
    .array(
      z.object({
        recipient: Recipient,
        reply: Reply,
        /** One sentence for the human-readable part. */
        explanation: z.string(),
        /** Name of the connector that decided; null when there is none. */
        connector: z.string().nullable(),
        /** When a delayed recipient will bounce; null for other kinds of DSN. */
        willRetryUntil: z.iso.datetime().nullable(),
      }),
    )
    .min(1),
})
export type BounceJob = z.infer<typeof BounceJob>

/** The fields of the key are absent in jobs of earlier versions. */
const PresentedRecord = CertificateRecord.partial({ keyType: true, publicKeyFingerprint256: true }).strip()

/**
 * Requests a notice to the administrator: an inbound connector expects certificates and does not know the certificate
 * that a client presented. The ingress sends this job for refused mail, evaluate-policy for decided mail. The
 * evaluation queue carries it.
 */
export const CertificateNotice = z.object({
  ...jobFields,
  kind: z.literal('UnknownCertificate'),
  /** When the certificate was presented. */
  at: z.iso.datetime(),
  connector: z.object({
    id: z.string(),
    name: z.string(),
    connectorType: z.enum(['Partner', 'OnPremises']),
    mode: z.enum(['Enforce', 'ReportOnly']),
    onViolation: z.enum(['Bounce', 'Defer']),
  }),
  presented: PresentedRecord,
  /** Clauses that describe the faults of the certificate. */
  why: z.string(),
  facts: CertificateFacts.strip(),
  /** What identified the tenant of Exchange Online that sent the message, or why nothing did; absent for other mail. */
  tenant: z.string().optional(),
  /**
   * True when the connector would accept the certificate if it listed those of the certificate's names that are in its
   * sender domains. So an authority that the connector trusts issued the certificate for such a name, and the
   * certificate is within its dates and not revoked. False says nothing about the issuer: see `facts`.
   */
  vouchedFor: z.boolean(),
  /** The result for the mail. `RelayDenied`: mail that is treated as mail from the internet, so it is not relayed. */
  consequence: z.enum(['RefusedInSession', 'Held', 'Bounced', 'RecordedOnly', 'RelayDenied']),
  /** When held mail bounces; null for other consequences. */
  heldUntil: z.iso.datetime().nullable(),
  /**
   * Additions to the connector, the safest first: each admits more certificates than the one before. Each alone makes the
   * connector accept the certificate. Empty if none can, as after expiry.
   */
  remedies: z.array(
    z.object({
      field: z.enum(['certificateFingerprints', 'tlsSenderCertificateNames']),
      add: z.string(),
      /** The certificates that the connector accepts after the addition: this one, or every one with the name. */
      admits: z.enum(['ThisCertificate', 'NameFromConnectorAuthority', 'NameFromPublicRoot']),
    }),
  ),
  /**
   * Digest of the connector's settings by which a certificate with a listed name is trusted. With other settings, a
   * remedy that adds a name must be tested again. Absent in jobs of earlier versions.
   */
  trustDigest: z.string().optional(),
  /** The domain of the reverse path; null when there is none. */
  senderDomain: z.string().nullable(),
  ip: z.string(),
  /** Number of failed attempts to publish the notice. */
  failures: z.int().nonnegative(),
})
export type CertificateNotice = z.infer<typeof CertificateNotice>

/** The evaluation queue carries mail and notices; only notices have a `kind`. */
export const EvaluationQueueJob = z.discriminatedUnion('kind', [
  EvaluationJob.extend({ kind: z.undefined().optional() }),
  CertificateNotice,
])

/**
 * Returns the JSON of a job or of its part, with only characters that every implementation of SQS accepts. XML 1.0
 * excludes U+FFFE and U+FFFF. AWS accepts characters above them, and emulators do not, so their surrogates are escaped.
 */
export const jobBody = (job: unknown): string =>
  JSON.stringify(job).replace(/[\ud800-\udfff\ufffe\uffff]/g, toUnicodeEscapes)

/**
 * Maximum number of recipients of one job, and of octets of their JSON. These limits leave room for the other fields of
 * the largest job.
 */
const jobPartLimits = { items: 100, octets: 120_000 }

/** Cuts recipients, in order, into parts that fit a queue message. */
export const splitForJobs = <T>(items: readonly T[]): [T, ...T[]][] =>
  splitIntoParts(jobPartLimits, items, (item) => Buffer.byteLength(jobBody(item)))
