/**
 * The environment each unit reads, and nothing else: the stack sets these names, the units parse them once at
 * cold start, the local runner passes them through untouched.
 */
import { z } from 'zod'

const commaSeparated = z
  .string()
  .default('')
  .transform((value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  )

/** Days that the message trace, and with it every claim, is kept. */
const retentionDays = z.coerce.number().int().min(1).max(3650).default(90)

const seconds = z.number().positive().max(240)

const port = z.coerce.number().int().min(1).max(65535)

/** CIDRs of IPv4 and IPv6, comma separated. */
const networks = commaSeparated.pipe(z.array(z.union([z.cidrv4(), z.cidrv6()])))

/** How many there may be; 0 means that nothing bounds them. */
const limitOrNone = z.coerce.number().int().min(0).default(0)

/** What every unit that reads connectors needs. */
export const ConnectorsEnvironment = z.object({ CONNECTORS_TABLE: z.string().min(1) })

export const IngressEnvironment = ConnectorsEnvironment.extend({
  /** The name in the greeting, in `Received: … by`, and in EHLO. */
  MAIL_HOSTNAME: z.string().min(1),
  TRANSPORT_TABLE: z.string().min(1),
  CONTENT_BUCKET: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  /** Whom to ask for the names of those who say whether a certificate was revoked; as for outbound mail. */
  DNS_SERVERS: commaSeparated,
  /** CIDRs, comma separated, that those names may lead into although they are not public. */
  PRIVATE_MX_NETWORKS: commaSeparated,
  SMTP_PORT: port.default(2525),
  HEALTH_PORT: port.default(8081),
  LISTEN_ADDRESS: z.string().default('::'),
  /** Of the secret with our certificates (contract/certificates.ts), which is read again and again. */
  TLS_SECRET_ARN: z.string().startsWith('arn:').optional(),
  /** Seconds until it is read again, and by chance half of that more. */
  TLS_SECRET_SECONDS: z.coerce.number().int().min(1).max(3600).default(240),
  /** In its place PEM, the same for as long as the process runs: the two of them together. */
  TLS_CERTIFICATE: z.string().includes('BEGIN CERTIFICATE').optional(),
  TLS_PRIVATE_KEY: z.string().includes('PRIVATE KEY').optional(),
  /** Octets; announced as SIZE (RFC 1870). */
  MAX_MESSAGE_SIZE: z.coerce.number().int().min(64_000).default(36_700_160),
  MAX_RECIPIENTS: z.coerce.number().int().min(100).max(1000).default(500),
  /** SMTP sessions at once. */
  MAX_CONNECTIONS: z.coerce.number().int().min(1).default(1000),
  /** SMTP sessions at once from one address; an IPv6 client's address is its /64. */
  MAX_CONNECTIONS_PER_ADDRESS: z.coerce.number().int().min(1).default(200),
  /** New connections in a minute from one address; 0 means as many as come. */
  MAX_CONNECTION_RATE_PER_ADDRESS: limitOrNone,
  /** Messages in a minute from one address; 0 means as many as come. */
  MAX_MESSAGES_PER_MINUTE_PER_ADDRESS: limitOrNone,
  /** What becomes of a message with a bare CR, a bare LF or a NUL. */
  UNLAWFUL_OCTETS: z.enum(['Refuse', 'Normalise']).default('Refuse'),
  /**
   * Octets of a line of a message with its CRLF. RFC 5321 §4.5.3.1.6 says 1000, and §4.5.3.1 asks to impose no
   * limit where one can.
   */
  MAX_LINE_LENGTH: z.coerce.number().int().min(1000).max(1_048_576).default(65_536),
  /** Octets of a message's header section. */
  MAX_HEADER_SIZE: z.coerce.number().int().min(16_384).max(1_048_576).default(262_144),
  /** Refusals in one session, since its last accepted message, after which it is ended. */
  MAX_ERRORS: z.coerce.number().int().min(1).max(1000).default(20),
  /** Load balancers that put the PROXY protocol before each connection; empty means that none does. */
  PROXY_TRUSTED_ADDRESSES: networks,
  /** Where large messages are while they arrive; without it, a folder among the system's temporary files. */
  SPOOL_DIRECTORY: z.string().min(1).optional(),
  /** MiB that the spool may hold. */
  SPOOL_MIB: z.coerce.number().int().min(64).default(4096),
  /** MiB the task has, by default as many as the system gives it: says how much mail may be held at once. */
  MEMORY_MIB: z.coerce.number().int().min(256).optional(),
  /** Seconds a stopping task waits for messages in flight; less than the task's stop timeout. */
  DRAIN_SECONDS: z.coerce.number().int().min(1).max(115).default(100),
}).superRefine(({ TLS_SECRET_ARN: secret, TLS_CERTIFICATE: certificate, TLS_PRIVATE_KEY: key }, context) => {
  const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
  if (secret === undefined && certificate === undefined && key === undefined)
    fault('TLS_SECRET_ARN', 'is required where TLS_CERTIFICATE and TLS_PRIVATE_KEY are not given')
  else if (secret !== undefined && (certificate ?? key) !== undefined)
    fault('TLS_SECRET_ARN', 'cannot be given beside TLS_CERTIFICATE and TLS_PRIVATE_KEY')
  else if (secret === undefined && certificate === undefined)
    fault('TLS_CERTIFICATE', 'is required beside TLS_PRIVATE_KEY')
  else if (secret === undefined && key === undefined)
    fault('TLS_PRIVATE_KEY', 'is required beside TLS_CERTIFICATE')
})

export const RotateEnvironment = ConnectorsEnvironment.extend({
  /** The name that our certificates have to be for. */
  MAIL_HOSTNAME: z.string().min(1),
  TLS_SECRET_ARN: z.string().startsWith('arn:'),
  /** Exportable certificates of ACM, comma separated: one of a kind. Empty where somebody else fills the secret. */
  ACM_CERTIFICATE_ARNS: commaSeparated,
  /** Days between the announcement of a certificate and its use. */
  NOTICE_DAYS: z.coerce.number().min(0).max(60).default(7),
  /** Where partners are told. */
  CERTIFICATE_NOTICES_TOPIC_ARN: z.string().startsWith('arn:'),
})

/** What decisions depend on besides connectors; told to whoever decides and to whoever explains. */
const DecisionEnvironment = ConnectorsEnvironment.extend({
  /** Where mail goes that no connector matches. */
  DEFAULT_ROUTE: z.enum(['Mx', 'Ses']),
  DELAY_NOTIFICATION_HOURS: z.coerce.number().positive().default(4),
  /** Where others send their reports on TLS with us (RFC 8460); empty means nowhere. */
  TLS_REPORT_ADDRESS: z
    .string()
    .default('')
    .transform((address) => (address === '' ? null : address)),
})

/** The settings of `evaluate` as a unit was told them. */
export function decisionSettings(environment: z.output<typeof DecisionEnvironment>) {
  return {
    defaultRoute: environment.DEFAULT_ROUTE,
    delayNotificationHours: environment.DELAY_NOTIFICATION_HOURS,
    tlsReportAddress: environment.TLS_REPORT_ADDRESS,
  }
}

export const EvaluateEnvironment = DecisionEnvironment.extend({
  MESSAGES_TABLE: z.string().min(1),
  TRANSPORT_TABLE: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  DELIVERY_QUEUE_URL: z.url(),
  BOUNCE_QUEUE_URL: z.url(),
  /** Where the administrator is told of unknown certificates. */
  NOTICES_TOPIC_ARN: z.string().startsWith('arn:'),
  TRACE_RETENTION_DAYS: retentionDays,
})

/** What every unit that hands mail on needs. */
const OutboundMailEnvironment = ConnectorsEnvironment.extend({
  /** The EHLO name (RFC 5321 §4.1.1.1). */
  MAIL_HOSTNAME: z.string().min(1),
  TRANSPORT_TABLE: z.string().min(1),
  SES_CONFIGURATION_SET_REQUIRE_TLS: z.string().min(1),
  SES_CONFIGURATION_SET_OPTIONAL_TLS: z.string().min(1),
  /**
   * As `parseNameServers` reads them, comma separated; empty means the system's resolvers. What they say of DNSSEC is
   * believed.
   */
  DNS_SERVERS: commaSeparated,
  /**
   * CIDRs, comma separated, of loopback or private networks that a partner's MX or policy host may be in. Empty in most
   * deployments: a stranger's DNS must not aim these functions at our own network.
   */
  PRIVATE_MX_NETWORKS: commaSeparated,
})

/** Seconds, as many as RFC 5321 §4.5.3.2 would have for each phase; a function has less time than that in all. */
const smtpTimeouts = z
  .string()
  .default('30,60,60,120')
  .transform((value) => value.split(',').map(Number))
  .pipe(z.tuple([seconds, seconds, seconds, seconds]))
  .transform(([connect, greeting, command, data]) => ({
    connect: connect * 1000,
    greeting: greeting * 1000,
    command: command * 1000,
    data: data * 1000,
  }))

export const DeliverEnvironment = OutboundMailEnvironment.extend({
  MESSAGES_TABLE: z.string().min(1),
  CONTENT_BUCKET: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  DELIVERY_QUEUE_URL: z.url(),
  /** How many workers may deliver to one destination at once. */
  DELIVERIES_PER_DESTINATION: z.coerce.number().int().min(1).default(10),
  /** `connect,greeting,command,data`: how long a next hop may be silent. */
  SMTP_TIMEOUT_SECONDS: smtpTimeouts,
  TRACE_RETENTION_DAYS: retentionDays,
})
export type DeliverEnvironment = z.output<typeof DeliverEnvironment>

export const ValidateEnvironment = OutboundMailEnvironment

export const BounceEnvironment = z.object({
  MAIL_HOSTNAME: z.string().min(1),
  MESSAGES_TABLE: z.string().min(1),
  CONTENT_BUCKET: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  /** Octets of a message that a DSN brings back whole, where RET=FULL asks for it and nothing forbids it. */
  MAX_RETURNED_SIZE: z.coerce.number().int().min(0).default(100_000),
  TRACE_RETENTION_DAYS: retentionDays,
})

export const ForesightEnvironment = ConnectorsEnvironment.extend({
  TRANSPORT_TABLE: z.string().min(1),
  /** Where the administrator is told of certificates that expire. */
  NOTICES_TOPIC_ARN: z.string().startsWith('arn:'),
})

export const ReportEnvironment = z.object({
  TRANSPORT_TABLE: z.string().min(1),
  CONTENT_BUCKET: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  DNS_SERVERS: commaSeparated,
  PRIVATE_MX_NETWORKS: commaSeparated,
  /** Who reports, for people. */
  TLS_REPORTER_ORGANISATION: z.string().min(1),
  /** `From` of reports by mail, and whom to ask about any. */
  TLS_REPORTER_ADDRESS: z.email(),
  /** All three or none; the secret is JSON with the field `privateKey`, in PEM. */
  DKIM_DOMAIN: z.string().min(1).optional(),
  DKIM_SELECTOR: z.string().min(1).optional(),
  DKIM_SECRET_ARN: z.string().startsWith('arn:').optional(),
})

/** Null where reports are not signed here. */
export function dkimSettings({
  DKIM_DOMAIN: domain,
  DKIM_SELECTOR: selector,
  DKIM_SECRET_ARN: secretArn,
}: z.output<typeof ReportEnvironment>) {
  if (domain === undefined || selector === undefined || secretArn === undefined) return null
  return { domain, selector, secretArn }
}

export const ApiEnvironment = DecisionEnvironment.extend({
  MESSAGES_TABLE: z.string().min(1),
  TRANSPORT_TABLE: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
})

export const PagesEnvironment = ConnectorsEnvironment.extend({
  MAIL_HOSTNAME: z.string().min(1),
  /** Who we are, for people. */
  ORGANISATION: z.string().min(1),
  /** Whom partners may ask. */
  CONTACT_ADDRESS: z.email(),
  /** Where changes of our certificates are announced. */
  CERTIFICATE_NOTICES_TOPIC_ARN: z.string().startsWith('arn:'),
  /** Both or none: none publishes no MTA-STS policy. */
  MTA_STS_MODE: z.enum(['enforce', 'testing', 'none']).optional(),
  MTA_STS_MAX_AGE_SECONDS: z.coerce.number().int().min(0).max(31_557_600).optional(),
})

/** What `publishedPolicy` (shared/net/mta-sts/published.ts) makes the policy of; null where there is none. */
export function mtaStsSettings({
  MAIL_HOSTNAME,
  MTA_STS_MODE: mode,
  MTA_STS_MAX_AGE_SECONDS: maxAgeSeconds,
}: z.output<typeof PagesEnvironment>) {
  if (mode === undefined || maxAgeSeconds === undefined) return null
  return { mode, maxAgeSeconds, mxHosts: [MAIL_HOSTNAME] }
}

/**
 * Parses a unit's environment.
 * @throws Error one line naming every variable at fault, for the log of a task that cannot start
 */
export function readEnvironment<T extends z.ZodType>(
  schema: T,
  environment: Record<string, string | undefined>,
): z.output<T> {
  const parsed = schema.safeParse(environment)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new Error(`environment: ${faults.join('; ')}`)
}
