/** What travels on the three queues. Each body is JSON, parsed once where it is received. */
import { z } from 'zod'
import { CertificateSummary } from './certificate.ts'
import { Message, Recipient, Reply } from './message.ts'
import { partsWithin } from './parts.ts'
import { RevocationCheck } from './revocation.ts'

export const SmartHost = z.strictObject({ host: z.string().min(1), port: z.int().min(1).max(65535) })
export type SmartHost = z.infer<typeof SmartHost>

/** How a message leaves. */
export const Route = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('Mx'), domain: z.string() }),
  z.strictObject({ kind: z.literal('SmartHosts'), hosts: z.array(SmartHost).min(1) }),
  z.strictObject({ kind: z.literal('Ses') }),
  /** Kept here: a report by others on how their mail to us fared (RFC 8460). */
  z.strictObject({ kind: z.literal('TlsReports') }),
])
export type Route = z.infer<typeof Route>

/** What the next hop's TLS must satisfy before a single octet of the message is sent. */
export const TlsRequirement = z.strictObject({
  level: z.enum(['Opportunistic', 'EncryptionOnly', 'CertificateValidation', 'DomainValidation']),
  /** `ReportOnly`: checked and recorded, not enforced. */
  mode: z.enum(['Enforce', 'ReportOnly']),
  /** The name the certificate must have; set exactly when the level is DomainValidation. */
  tlsDomain: z.string().nullable(),
  /** PEM; empty means the public roots. */
  certificateAuthorities: z.array(z.string()),
  minimumTlsVersion: z.enum(['TLSv1.2', 'TLSv1.3']),
  /** Whether the next hop's TLSA records count (RFC 7672). */
  smtpDaneMode: z.enum(['Opportunistic', 'None']).default('Opportunistic'),
  /** Whether the domain's MTA-STS policy counts (RFC 8461). */
  mtaStsMode: z.enum(['Opportunistic', 'None']).default('Opportunistic'),
  /** What a certificate that is to be trusted must be known of. */
  revocationCheck: RevocationCheck.default('SoftFail'),
  /** The name of the secret with the certificate for a next hop that asks for one. */
  clientCertificate: z.string().nullable().default(null),
})
export type TlsRequirement = z.infer<typeof TlsRequirement>

/** A connector, and what it was called then. */
export const ConnectorName = z.strictObject({ id: z.string(), name: z.string() })
export type ConnectorName = z.infer<typeof ConnectorName>

/** Decide what happens to these recipients. Sent by the ingress, by a delivery that failed, by a DSN, by a timer. */
export const EvaluationJob = z.strictObject({
  message: Message,
  recipients: z.array(Recipient).min(1),
  /** Set on a deferred job: before this instant it is put back. */
  notBefore: z.iso.datetime().nullable(),
  /** An administrator asks for it: decide as though the time of the next attempt had come. */
  retry: z.boolean().optional(),
})
export type EvaluationJob = z.infer<typeof EvaluationJob>

/** Try these recipients, which share destination, route, requirement and attempt number, once. */
export const DeliveryJob = z.strictObject({
  message: Message,
  recipients: z.array(Recipient).min(1),
  /** The queue's message group: one slow destination starves no other. */
  destination: z.string(),
  route: Route,
  tls: TlsRequirement,
  /** Number of the attempt to make, from 1. */
  attempt: z.int().positive(),
  /** That which takes the recipients' domain; none where nothing was agreed. */
  connector: ConnectorName.optional(),
  /** Of the connectors by which this was decided; when they have changed since, it is decided again. */
  connectorsVersion: z.int().nonnegative().optional(),
  /** Times that it went back to the queue because too many deliveries to its destination were under way. */
  waits: z.int().nonnegative().optional(),
})
export type DeliveryJob = z.infer<typeof DeliveryJob>

/** What a DSN says of its recipients: their `Action` (RFC 3464 §2.3.3). */
export const DsnKind = z.enum(['failed', 'delayed', 'relayed', 'delivered'])
export type DsnKind = z.infer<typeof DsnKind>

/** Tell the sender. */
export const BounceJob = z.strictObject({
  message: Message,
  kind: DsnKind,
  /** Whether the whole message may come back, of a failure; otherwise its headers do. */
  returnsContent: z.boolean().optional(),
  at: z.iso.datetime(),
  recipients: z
    .array(
      z.strictObject({
        recipient: Recipient,
        reply: Reply,
        /** One sentence for the human part. */
        explanation: z.string(),
        /** Name of the connector that decided, if one did. */
        connector: z.string().nullable(),
        /** When a delayed recipient will be given up. */
        willRetryUntil: z.iso.datetime().nullable(),
      }),
    )
    .min(1),
})
export type BounceJob = z.infer<typeof BounceJob>

/**
 * Tell the administrator: somebody presented a certificate that an inbound connector asks for and does not know.
 * Travels on the evaluation queue. Sent by the ingress of mail it refused, by evaluate-policy of mail it decided.
 */
export const CertificateNotice = z.strictObject({
  kind: z.literal('UnknownCertificate'),
  /** When it was presented. */
  at: z.iso.datetime(),
  connector: z.strictObject({
    id: z.string(),
    name: z.string(),
    connectorType: z.enum(['Partner', 'OnPremises']),
    mode: z.enum(['Enforce', 'ReportOnly']),
    onViolation: z.enum(['Bounce', 'Defer']),
  }),
  presented: CertificateSummary,
  /** What is wrong with it, in clauses. */
  why: z.string(),
  /**
   * An authority that the connector trusts issued it for a name in the connector's sender domains: what a stranger
   * does not get.
   */
  vouchedFor: z.boolean(),
  /** What becomes of the mail. `RelayDenied`: it is taken as anyone's, not as our own server's. */
  consequence: z.enum(['RefusedInSession', 'Held', 'Bounced', 'RecordedOnly', 'RelayDenied']),
  /** When mail that is held will be given up; null of any other. */
  heldUntil: z.iso.datetime().nullable(),
  /** What the connector would know it by, each alone. Empty where nothing helps: it is out of its dates. */
  remedies: z.array(
    z.strictObject({
      field: z.enum(['tlsSenderCertificateNames', 'certificateFingerprints']),
      add: z.string(),
    }),
  ),
  /** Of the reverse path; null when it names none. */
  senderDomain: z.string().nullable(),
  ip: z.string(),
  /** Times that it could not be published. */
  failures: z.int().nonnegative(),
})
export type CertificateNotice = z.infer<typeof CertificateNotice>

/** What comes by the evaluation queue: mail, and notices, which are told by their `kind`. */
export const EvaluationQueueJob = z.union([EvaluationJob, CertificateNotice])

/** Recipients in one job, and octets of JSON they may come to: the rest of the largest job fits beside them. */
const partOfJob = { items: 100, octets: 120_000 }

/** Cuts what stands for recipients into parts that fit a queue message, in their order. */
export const inParts = <T>(items: readonly T[]): [T, ...T[]][] =>
  partsWithin(partOfJob, items, (item) => Buffer.byteLength(JSON.stringify(item)))
