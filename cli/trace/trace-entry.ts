/** The fields of a message's trace that are printed. Others are ignored, so that newer gateways work. */
import * as z from 'zod'
import { ConsideredConnector } from './considered-connectors.ts'

/** Null when revocation was not checked. */
const Revocation = z.object({ status: z.string(), detail: z.string() }).nullable().default(null)

const Attempt = z.object({
  number: z.int(),
  at: z.string().nullable(),
  outcome: z.string(),
  host: z.string().nullable(),
  ip: z.string().nullable(),
  tls: z
    .object({
      protocol: z.string(),
      cipher: z.string(),
      group: z.string().nullable(),
      verified: z.boolean(),
      notVerified: z.string().nullable().default(null),
      fingerprint256: z.string().nullable().default(null),
      revocation: Revocation,
    })
    .nullable(),
  policy: z.string().nullable(),
  policySource: z.string().nullable().default(null),
  reportOnlyLevel: z.string().nullable().default(null),
  reply: z.string().nullable(),
  reportOnly: z.string().nullable(),
  durationMs: z.int().nullable(),
  leaseUntil: z.string().nullable(),
})
export type Attempt = z.output<typeof Attempt>

export const Verdict = z.object({
  action: z.string(),
  reason: z.string(),
  explanation: z.string(),
  connectors: z.object({ inbound: z.string().nullable(), outbound: z.string().nullable() }),
  reportOnly: z.string().nullable(),
  at: z.string().nullable().default(null),
  connectorsVersion: z.int().nullable().default(null),
  reply: z.string().nullable().default(null),
  considered: z.array(ConsideredConnector).default([]),
  lowered: z.array(z.string()).default([]),
})
export type Verdict = z.output<typeof Verdict>

/** Null when no administrator made the request. */
const AdministratorRequest = z
  .object({ at: z.string(), by: z.string().nullable(), reason: z.string().nullable().default(null) })
  .nullable()
  .default(null)

const Recipient = z.object({
  address: z.string(),
  state: z.string(),
  verdict: Verdict.nullable(),
  until: z.string().nullable(),
  givenUpAt: z.string().nullable().default(null),
  firstHeld: z
    .object({ at: z.string(), reason: z.string(), explanation: z.string() })
    .nullable()
    .default(null),
  requirement: z
    .object({
      connector: z.object({ name: z.string() }),
      since: z.string(),
      level: z.string(),
      smtpDaneMode: z.string().default('Opportunistic'),
      mtaStsMode: z.string().default('Opportunistic'),
    })
    .nullable()
    .default(null),
  released: AdministratorRequest,
  returned: AdministratorRequest,
  dropped: AdministratorRequest,
  attempts: z.array(Attempt),
  attemptsOmitted: z.int(),
  notifications: z.array(
    z.object({
      kind: z.string(),
      message: z.string().nullable(),
      state: z.string().nullable().default(null),
    }),
  ),
})
export type Recipient = z.output<typeof Recipient>

export const ClientCertificate = z.object({
  subject: z.string(),
  subjectAltNames: z.array(z.string()),
  issuer: z.string(),
  fingerprint256: z.string(),
  notBefore: z.string(),
  notAfter: z.string(),
  trusted: z.boolean(),
  trustError: z.string().nullable(),
  revocation: Revocation,
})
export type ClientCertificate = z.output<typeof ClientCertificate>

/** Null when the message was not authenticated. */
const Authentication = z
  .object({
    internal: z.string().nullable(),
    spf: z.object({ result: z.string(), domain: z.string() }).nullable(),
    dkim: z.array(
      z.object({ result: z.string(), domain: z.string(), selector: z.string(), aligned: z.boolean() }),
    ),
    dmarc: z
      .object({
        result: z.string(),
        fromDomain: z.string().nullable(),
        policy: z.string().nullable(),
        alignedBy: z.array(z.string()),
      })
      .nullable(),
    arc: z.object({ result: z.string(), sealer: z.string().nullable() }).nullable(),
  })
  .nullable()
  .default(null)
export type Authentication = NonNullable<z.output<typeof Authentication>>

/** Null when no connector asked for the tenant. */
const ExchangeOnline = z
  .object({ tenantIds: z.array(z.string()), originatorOrganizations: z.array(z.string()) })
  .nullable()
  .default(null)
export type ExchangeOnline = NonNullable<z.output<typeof ExchangeOnline>>

export const TraceEntry = z.object({
  id: z.string(),
  receivedAt: z.string(),
  direction: z.string(),
  attributedTo: z.string().nullable(),
  source: z.object({ ip: z.string(), helo: z.string() }).nullable(),
  tls: z.object({
    negotiated: z.boolean(),
    protocol: z.string().nullable(),
    cipher: z.string().nullable(),
    clientCertificate: ClientCertificate.nullable(),
  }),
  envelope: z.object({ mailFrom: z.string(), rcptTo: z.array(z.string()) }),
  size: z.int(),
  headerMessageId: z.string().nullable().default(null),
  exchangeOnline: ExchangeOnline,
  authentication: Authentication,
  recipients: z.array(Recipient),
})
export type TraceEntry = z.output<typeof TraceEntry>
