/**
 * The environment variables of each unit. The stack sets them, each unit parses them once at cold start, and the local
 * runner passes them on unchanged.
 */
import * as z from 'zod'
import { parseJson } from './parse-json.ts'
import { defaultStackName } from './secrets.ts'

const commaSeparated = z
  .string()
  .default('')
  .transform((value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  )

/** Days for which the message trace and its claims are kept. */
const retentionDays = z.coerce.number().int().min(1).max(3650).default(15)

const seconds = z.number().positive().max(240)

const port = z.coerce.number().int().min(1).max(65535)

/** CIDRs of IPv4 and IPv6, comma separated. */
const cidrList = commaSeparated.pipe(z.array(z.union([z.cidrv4(), z.cidrv6()])))

/** Comma separated. */
const addressList = commaSeparated.pipe(z.array(z.email()))

/** 0 means no limit. */
const optionalLimit = z.coerce.number().int().min(0).default(0)

/** Empty means none. */
const optionalAddress = z
  .string()
  .default('')
  .transform((address) => (address === '' ? null : address))

/** The variable of every unit behind the API for administrators. */
const signInVariables = {
  /** A `RoleMapping` (shared/contract/roles.ts) as JSON. Without it no token has a role. */
  SIGN_IN_ROLES: z.string().optional(),
}

const postmasterVariables = {
  /** The gateway's host name, in the greeting, in EHLO and in the `by` clause of `Received`. */
  MAIL_HOSTNAME: z.string().min(1),
  /** The mailbox for mail to the gateway's postmaster; empty means postmaster of an accepted domain. */
  POSTMASTER_ADDRESS: optionalAddress,
}

/** Returns the `PostmasterSettings` (shared/policy/postmaster.ts) of a unit's environment. */
export const postmasterSettings = ({
  MAIL_HOSTNAME: hostname,
  POSTMASTER_ADDRESS: mailbox,
}: {
  MAIL_HOSTNAME: string
  POSTMASTER_ADDRESS: string | null
}) => ({ hostname, mailbox })

/** Every unit needs this variable. */
const UnitEnvironment = z.object({
  /** Separates the metrics, events and secrets of the stacks in one Region. */
  STACK_NAME: z.string().min(1).default(defaultStackName),
})

/** Every unit that reads connectors needs these variables. */
export const ConnectorsEnvironment = UnitEnvironment.extend({ CONNECTORS_TABLE: z.string().min(1) })

/** Every unit that holds all connectors reads this variable. */
const snapshotVariables = {
  /** The bucket of the snapshot of the connectors. Without it, they are read from the table. */
  SNAPSHOT_BUCKET: z.string().min(1).optional(),
  /** In place of the endpoint of S3. Only the local runner sets it. */
  AWS_ENDPOINT_URL_S3: z.url().optional(),
}

export const IngressEnvironment = ConnectorsEnvironment.extend({
  ...snapshotVariables,
  ...postmasterVariables,
  TRANSPORT_TABLE: z.string().min(1),
  CONTENT_BUCKET: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  EVENTS_QUEUE_URL: z.url(),
  /** The function that checks recipients at their mailbox server. Without it they are accepted unchecked. */
  CHECK_RECIPIENT_FUNCTION_ARN: z.string().startsWith('arn:').optional(),
  /** In place of the endpoint of Lambda. Only the local runner sets it. */
  AWS_ENDPOINT_URL_LAMBDA: z.url().optional(),
  /** The address for other domains' reports on TLS with this deployment, which is always accepted; empty means none. */
  TLS_REPORT_ADDRESS: optionalAddress,
  /** Name servers for the hosts of CRLs and OCSP responders, written as for outbound mail. */
  DNS_SERVERS: commaSeparated,
  /** CIDRs, comma separated, of private networks in which hosts of CRLs and OCSP responders may be. */
  PRIVATE_MX_NETWORKS: commaSeparated,
  SMTP_PORT: port.default(2525),
  HEALTH_PORT: port.default(8081),
  LISTEN_ADDRESS: z.string().default('::'),
  /** The secret with the ingress's certificates (shared/contract/certificates.ts). The ingress reads it repeatedly. */
  TLS_SECRET_ARN: z.string().startsWith('arn:').optional(),
  /** Seconds between two readings of the secret. Up to half of this number is added at random. */
  TLS_SECRET_SECONDS: z.coerce.number().int().min(1).max(3600).default(240),
  /** PEM instead of the secret, unchanged while the process runs. Needs `TLS_PRIVATE_KEY`. */
  TLS_CERTIFICATE: z.string().includes('BEGIN CERTIFICATE').optional(),
  TLS_PRIVATE_KEY: z.string().includes('PRIVATE KEY').optional(),
  /** Maximum size of a message in octets; announced as SIZE (RFC 1870). */
  MAX_MESSAGE_SIZE: z.coerce.number().int().min(64_000).default(36_700_160),
  MAX_RECIPIENTS: z.coerce.number().int().min(100).max(1000).default(500),
  /** Maximum number of concurrent SMTP sessions. */
  MAX_CONNECTIONS: z.coerce.number().int().min(1).default(1000),
  /** Maximum number of concurrent SMTP sessions per address; an IPv6 client's address is its /64. */
  MAX_CONNECTIONS_PER_ADDRESS: z.coerce.number().int().min(1).default(200),
  /** Maximum number of new connections per address and minute; 0 means no limit. */
  MAX_CONNECTION_RATE_PER_ADDRESS: optionalLimit,
  /** Maximum number of messages per address and minute; 0 means no limit. */
  MAX_MESSAGES_PER_MINUTE_PER_ADDRESS: optionalLimit,
  /** How the ingress treats a message with a bare CR, a bare LF or a NUL. */
  BARE_NEWLINES: z.enum(['Refuse', 'Normalise']).default('Refuse'),
  /** Whether MAIL FROM: and RCPT TO: may have spaces after the colon, or a mailbox without angle brackets. */
  ENVELOPE_SYNTAX: z.enum(['Lenient', 'Strict']).default('Lenient'),
  /**
   * Maximum length of a message line with its CRLF, in octets. RFC 5321 §4.5.3.1.6 requires at least 1000, and §4.5.3.1
   * recommends to impose no limit.
   */
  MAX_LINE_LENGTH: z.coerce.number().int().min(1000).max(1_048_576).default(65_536),
  /** Maximum size of a message's header section, in octets. */
  MAX_HEADER_SIZE: z.coerce.number().int().min(16_384).max(1_048_576).default(262_144),
  /** The session ends after this number of refused commands and messages since its last accepted message. */
  MAX_ERRORS: z.coerce.number().int().min(1).max(1000).default(20),
  /** Load balancers that send the PROXY protocol; empty means none. */
  PROXY_TRUSTED_ADDRESSES: cidrList,
  /** The folder of the spool. The default is a folder for temporary files. */
  SPOOL_DIRECTORY: z.string().min(1).optional(),
  /** Maximum size of the spool, in MiB. */
  SPOOL_MIB: z.coerce.number().int().min(64).default(4096),
  /**
   * Memory of the task in MiB; the default is the memory that the system gives the process. The limits for mail in
   * memory are computed from this value.
   */
  MEMORY_MIB: z.coerce.number().int().min(256).optional(),
  /** Seconds for which a stopping task waits for its open transactions; less than the task's stop timeout. */
  DRAIN_SECONDS: z.coerce.number().int().min(1).max(115).default(100),
}).superRefine(({ TLS_SECRET_ARN: secret, TLS_CERTIFICATE: certificate, TLS_PRIVATE_KEY: key }, context) => {
  const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
  if (secret === undefined && certificate === undefined && key === undefined)
    fault('TLS_SECRET_ARN', 'is required unless TLS_CERTIFICATE and TLS_PRIVATE_KEY are set')
  else if (secret !== undefined && (certificate ?? key) !== undefined)
    fault('TLS_SECRET_ARN', 'cannot be set together with TLS_CERTIFICATE and TLS_PRIVATE_KEY')
  else if (secret === undefined && certificate === undefined)
    fault('TLS_CERTIFICATE', 'is required together with TLS_PRIVATE_KEY')
  else if (secret === undefined && key === undefined)
    fault('TLS_PRIVATE_KEY', 'is required together with TLS_CERTIFICATE')
})

export const RotateEnvironment = ConnectorsEnvironment.extend({
  /** The name that the certificates must contain. */
  MAIL_HOSTNAME: z.string().min(1),
  TLS_SECRET_ARN: z.string().startsWith('arn:'),
  /**
   * ARNs of exportable ACM certificates, comma separated, one per key type. Empty when another program writes the
   * secret.
   */
  ACM_CERTIFICATE_ARNS: commaSeparated,
  /**
   * Name servers for the TLSA records of the host, written as for outbound mail. They must validate DNSSEC; without
   * them, every TLSA record that the system's resolver finds counts as signed.
   */
  DNS_SERVERS: commaSeparated,
  /** The Route 53 zone in which the function publishes the TLSA records. Absent when an administrator does. */
  TLSA_HOSTED_ZONE_ID: z.string().min(1).optional(),
  /** Days between the announcement of a certificate and its use. */
  NOTICE_DAYS: z.coerce.number().min(0).max(60).default(7),
  /** The topic that announces certificates to partners. */
  CERTIFICATE_NOTICES_TOPIC_ARN: z.string().startsWith('arn:'),
})

/** Settings on which decisions depend, besides connectors. The API needs them to explain decisions. */
const DecisionEnvironment = ConnectorsEnvironment.extend({
  ...postmasterVariables,
  /** The route of mail that no connector matches. */
  DEFAULT_ROUTE: z.enum(['Mx', 'Ses']),
  DELAY_NOTIFICATION_HOURS: z.coerce.number().positive().default(4),
  /** The address for other domains' reports on TLS with this deployment (RFC 8460); empty means none. */
  TLS_REPORT_ADDRESS: optionalAddress,
})

/** Returns the settings of `evaluate` from a unit's environment. */
export function decisionSettings(environment: z.output<typeof DecisionEnvironment>) {
  return {
    defaultRoute: environment.DEFAULT_ROUTE,
    delayNotificationHours: environment.DELAY_NOTIFICATION_HOURS,
    tlsReportAddress: environment.TLS_REPORT_ADDRESS,
    postmaster: postmasterSettings(environment),
  }
}

/** The queues of delivery jobs, one for each priority. */
const deliveryQueues = {
  DELIVERY_QUEUE_URL: z.url(),
  UNPROVEN_DELIVERY_QUEUE_URL: z.url(),
  LOW_PRIORITY_DELIVERY_QUEUE_URL: z.url(),
}
const deliveryDeadLetters = {
  DELIVERY_DEAD_LETTERS_URL: z.url(),
  UNPROVEN_DELIVERY_DEAD_LETTERS_URL: z.url(),
  LOW_PRIORITY_DELIVERY_DEAD_LETTERS_URL: z.url(),
}

export const EvaluateEnvironment = DecisionEnvironment.extend({
  ...snapshotVariables,
  MESSAGES_TABLE: z.string().min(1),
  TRANSPORT_TABLE: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  EVENTS_QUEUE_URL: z.url(),
  ...deliveryQueues,
  EVALUATION_DEAD_LETTERS_URL: z.url(),
  AUTHENTICATION_QUEUE_URL: z.url(),
  BOUNCE_QUEUE_URL: z.url(),
  /** The topic for notices of unknown certificates. */
  NOTICES_TOPIC_ARN: z.string().startsWith('arn:'),
  TRACE_RETENTION_DAYS: retentionDays,
})

/** The variables of every unit that connects to next hops over SMTP. */
const OutboundSmtpEnvironment = ConnectorsEnvironment.extend({
  /** The EHLO name (RFC 5321 §4.1.1.1). */
  MAIL_HOSTNAME: z.string().min(1),
  TRANSPORT_TABLE: z.string().min(1),
  /**
   * Name servers as `parseNameServers` reads them, comma separated; empty means the system's resolvers. Their DNSSEC
   * results are trusted.
   */
  DNS_SERVERS: commaSeparated,
  /**
   * CIDRs, comma separated, of loopback or private networks in which a partner's MX or policy host may be. The attack:
   * the DNS records of an untrusted domain point these functions at the deployment's private network. Most deployments
   * leave this variable empty.
   */
  PRIVATE_MX_NETWORKS: commaSeparated,
})

export const CheckRecipientEnvironment = OutboundSmtpEnvironment.extend(snapshotVariables)

/** The variables of every unit that sends mail. */
const OutboundMailEnvironment = OutboundSmtpEnvironment.extend({
  SES_CONFIGURATION_SET_REQUIRE_TLS: z.string().min(1),
  SES_CONFIGURATION_SET_OPTIONAL_TLS: z.string().min(1),
})

/**
 * Seconds for each phase of RFC 5321 §4.5.3.2. The RFC's timeouts are several minutes for each phase, and
 * deliver-message runs for at most five minutes.
 */
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
  EVENTS_QUEUE_URL: z.url(),
  ...deliveryQueues,
  ...deliveryDeadLetters,
  /** Maximum number of concurrent deliveries to one destination. */
  DELIVERIES_PER_DESTINATION: z.coerce.number().int().min(1).default(100),
  /** Maximum number of workers that deliver to one destination at the same time. */
  WORKERS_PER_DESTINATION: z.coerce.number().int().min(1).default(20),
  /** Timeouts while a next hop sends nothing: `connect,greeting,command,data`. */
  SMTP_TIMEOUT_SECONDS: smtpTimeouts,
  TRACE_RETENTION_DAYS: retentionDays,
})
export type DeliverEnvironment = z.output<typeof DeliverEnvironment>

export const ValidateEnvironment = OutboundMailEnvironment.extend(signInVariables)

export const BounceEnvironment = UnitEnvironment.extend({
  MAIL_HOSTNAME: z.string().min(1),
  MESSAGES_TABLE: z.string().min(1),
  CONTENT_BUCKET: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  EVENTS_QUEUE_URL: z.url(),
  BOUNCE_QUEUE_URL: z.url(),
  BOUNCE_DEAD_LETTERS_URL: z.url(),
  /** Name servers for SPF and DKIM of senders, written as for outbound mail. */
  DNS_SERVERS: commaSeparated,
  /**
   * Octets. The size of the largest message that a DSN returns whole, if the sender requested that by RET=FULL. A DSN
   * returns only the headers of a larger message.
   */
  MAX_RETURNED_SIZE: z.coerce.number().int().min(0).default(100_000),
  TRACE_RETENTION_DAYS: retentionDays,
})

export const AuthenticateEnvironment = UnitEnvironment.extend({
  /** The name in `Authentication-Results`. */
  MAIL_HOSTNAME: z.string().min(1),
  MESSAGES_TABLE: z.string().min(1),
  CONTENT_BUCKET: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  AUTHENTICATION_QUEUE_URL: z.url(),
  AUTHENTICATION_DEAD_LETTERS_URL: z.url(),
  /** Name servers for the records of senders, written as for outbound mail. */
  DNS_SERVERS: commaSeparated,
  TRACE_RETENTION_DAYS: retentionDays,
  /**
   * `ARC_DOMAIN`, `ARC_SELECTOR` and `ARC_SECRET_ARN`: all three or none. The secret is JSON with the field
   * `privateKey`, in PEM.
   */
  ARC_DOMAIN: z.string().min(1).optional(),
  ARC_SELECTOR: z.string().min(1).optional(),
  ARC_SECRET_ARN: z.string().startsWith('arn:').optional(),
})

/** Returns null when this deployment adds no ARC set. */
export function arcSettings({
  ARC_DOMAIN: domain,
  ARC_SELECTOR: selector,
  ARC_SECRET_ARN: secretArn,
}: z.output<typeof AuthenticateEnvironment>) {
  if (domain === undefined || selector === undefined || secretArn === undefined) return null
  return { domain, selector, secretArn }
}

export const ExpiryWatchEnvironment = ConnectorsEnvironment.extend({
  TRANSPORT_TABLE: z.string().min(1),
  /** The topic for notices of certificates that expire. */
  NOTICES_TOPIC_ARN: z.string().startsWith('arn:'),
})

export const CanaryEnvironment = UnitEnvironment.extend({
  /** The name that the canary connects to, and that the certificate must contain. */
  MAIL_HOSTNAME: z.string().min(1),
  TRANSPORT_TABLE: z.string().min(1),
  /** PEM: the trust anchor instead of the public roots. Only the local runner sets it. */
  CANARY_AUTHORITY: z.string().includes('BEGIN CERTIFICATE').optional(),
})

const dkimVariables = {
  /**
   * `DKIM_DOMAIN`, `DKIM_SELECTOR` and `DKIM_SECRET_ARN`: all three or none. The secret is JSON with the field
   * `privateKey`, in PEM.
   */
  DKIM_DOMAIN: z.string().min(1).optional(),
  DKIM_SELECTOR: z.string().min(1).optional(),
  DKIM_SECRET_ARN: z.string().startsWith('arn:').optional(),
}

export const ReportEnvironment = UnitEnvironment.extend({
  TRANSPORT_TABLE: z.string().min(1),
  CONTENT_BUCKET: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  DNS_SERVERS: commaSeparated,
  PRIVATE_MX_NETWORKS: commaSeparated,
  /** The reporting organisation's name. */
  TLS_REPORTER_ORGANISATION: z.string().min(1),
  /** `From` of reports that are sent by mail, and the contact for questions. */
  TLS_REPORTER_ADDRESS: z.email(),
  ...dkimVariables,
})

export const SummaryEnvironment = UnitEnvironment.extend({
  /** Names the gateway in summaries. */
  MAIL_HOSTNAME: z.string().min(1),
  EVENTS_BUCKET: z.string().min(1),
  MESSAGES_TABLE: z.string().min(1),
  TRANSPORT_TABLE: z.string().min(1),
  CONTENT_BUCKET: z.string().min(1),
  EVALUATION_QUEUE_URL: z.url(),
  /** `From` of summaries. */
  SUMMARY_SENDER: z.email(),
  DAILY_SUMMARIES_TO: addressList,
  WEEKLY_SUMMARIES_TO: addressList,
  ...dkimVariables,
})

/** Returns null when this deployment does not sign its reports and summaries with DKIM. */
export function dkimSettings({
  DKIM_DOMAIN: domain,
  DKIM_SELECTOR: selector,
  DKIM_SECRET_ARN: secretArn,
}: { [Name in keyof typeof dkimVariables]?: string | undefined }) {
  if (domain === undefined || selector === undefined || secretArn === undefined) return null
  return { domain, selector, secretArn }
}

/** The variable of every unit that reads or writes addresses in events. */
const addressHashVariables = {
  /** The secret with the key that hashes addresses in events. Without it they are plain. */
  ADDRESS_HASH_SECRET_ARN: z.string().startsWith('arn:').optional(),
}

/** The variables of every unit that stores events. */
const hashingVariables = {
  ...addressHashVariables,
  /** These two stay plain: decisions about them are others, so dry runs must recognise them. Empty means none. */
  POSTMASTER_ADDRESS: optionalAddress,
  TLS_REPORT_ADDRESS: optionalAddress,
}

export const RecordEventsEnvironment = UnitEnvironment.extend({
  ...hashingVariables,
  EVENTS_QUEUE_URL: z.url(),
  EVENTS_DEAD_LETTERS_URL: z.url(),
  EVENTS_BUCKET: z.string().min(1),
  MESSAGES_TABLE: z.string().min(1),
  TRACE_RETENTION_DAYS: retentionDays,
})

export const SealHourEnvironment = ConnectorsEnvironment.extend({
  ...hashingVariables,
  EVENTS_BUCKET: z.string().min(1),
  MESSAGES_TABLE: z.string().min(1),
  /** In place of the endpoint of Lambda. Only the local runner sets it. */
  AWS_ENDPOINT_URL_LAMBDA: z.url().optional(),
})

/** Addresses in the deployment's settings, by the name of the setting. */
const addressSettings = z
  .string()
  .default('{}')
  .transform((text, context): Record<string, string> => {
    const { data } = z.record(z.string(), z.string()).safeParse(parseJson(text))
    if (data !== undefined) return data
    context.addIssue({ code: 'custom', message: 'is not a JSON object of texts' })
    return z.NEVER
  })

export const EraseAddressEnvironment = ConnectorsEnvironment.extend({
  ...addressHashVariables,
  EVENTS_BUCKET: z.string().min(1),
  EVENT_RETENTION_DAYS: z.coerce.number().int().positive(),
  CONTENT_BUCKET: z.string().min(1),
  MESSAGES_TABLE: z.string().min(1),
  EVALUATION_DEAD_LETTERS_URL: z.url(),
  AUTHENTICATION_DEAD_LETTERS_URL: z.url(),
  ...deliveryDeadLetters,
  BOUNCE_DEAD_LETTERS_URL: z.url(),
  EVENTS_DEAD_LETTERS_URL: z.url(),
  ADDRESS_SETTINGS: addressSettings,
  /**
   * Seconds between passes: an event waits for less until it is stored. Lambda gathers events for a minute, and
   * record-events takes a minute at most. Only the local runner sets it.
   */
  ERASURE_WAIT_SECONDS: z.coerce.number().int().min(1).max(600).default(180),
  /** In place of the endpoint of Lambda. Only the local runner sets it. */
  AWS_ENDPOINT_URL_LAMBDA: z.url().optional(),
})

export const EventApiEnvironment = DecisionEnvironment.extend({
  ...snapshotVariables,
  ...signInVariables,
  ...addressHashVariables,
  EVENTS_BUCKET: z.string().min(1),
  EVENT_RETENTION_DAYS: z.coerce.number().int().positive(),
  MESSAGES_TABLE: z.string().min(1),
  ATHENA_WORKGROUP: z.string().min(1),
  ATHENA_DATABASE: z.string().min(1),
  ATHENA_TABLE: z.string().min(1),
  /** In place of the endpoint of Athena. Only the local runner sets it. */
  AWS_ENDPOINT_URL_ATHENA: z.url().optional(),
  TRANSPORT_TABLE: z.string().min(1),
  EVENTS_QUEUE_URL: z.url(),
  ERASE_ADDRESS_FUNCTION_ARN: z.string().startsWith('arn:'),
  /** In place of the endpoint of Lambda. Only the local runner sets it. */
  AWS_ENDPOINT_URL_LAMBDA: z.url().optional(),
})

export const ApiEnvironment = DecisionEnvironment.extend({
  ...snapshotVariables,
  ...signInVariables,
  MESSAGES_TABLE: z.string().min(1),
  TRANSPORT_TABLE: z.string().min(1),
  /** In place of the endpoint of CloudWatch. Only the local runner sets it. */
  AWS_ENDPOINT_URL_CLOUDWATCH: z.url().optional(),
  EVALUATION_QUEUE_URL: z.url(),
  EVENTS_QUEUE_URL: z.url(),
  EVALUATION_DEAD_LETTERS_URL: z.url(),
  AUTHENTICATION_QUEUE_URL: z.url(),
  AUTHENTICATION_DEAD_LETTERS_URL: z.url(),
  ...deliveryQueues,
  ...deliveryDeadLetters,
  BOUNCE_QUEUE_URL: z.url(),
  BOUNCE_DEAD_LETTERS_URL: z.url(),
  /** Whether deliver-message runs in the VPC. */
  DELIVERS_IN_VPC: z.stringbool(),
  /** Whether deliver-message asks other resolvers than Amazon's, which proves no record. */
  VALIDATES_DNSSEC: z.stringbool().default(true),
  /** Which summaries send-summary sends, separated by a comma. */
  SUMMARIES: z
    .string()
    .default('')
    .transform((list) => list.split(',').filter(Boolean))
    .pipe(z.array(z.enum(['Daily', 'Weekly']))),
})

export const PagesEnvironment = ConnectorsEnvironment.extend({
  MAIL_HOSTNAME: z.string().min(1),
  /** The organisation's name on the page. */
  ORGANISATION: z.string().min(1),
  /** The contact for partners. */
  CONTACT_ADDRESS: z.email(),
  /** MTA_STS_MODE and MTA_STS_MAX_AGE_SECONDS are set together. Without them no MTA-STS policy is published. */
  MTA_STS_MODE: z.enum(['enforce', 'testing', 'none']).optional(),
  MTA_STS_MAX_AGE_SECONDS: z.coerce.number().int().min(0).max(31_557_600).optional(),
})

export const ConsoleEnvironment = UnitEnvironment.extend({
  /** Without them people do not sign in. The scopes are JSON. */
  SIGN_IN_ISSUER: z.url().optional(),
  SIGN_IN_CLIENT_ID: z.string().min(1).optional(),
  SIGN_IN_SCOPES: z.string().default('[]'),
})

/** Returns a `SignIn` (functions/console/serve.ts); null without sign-in. */
export function signInSettings({
  SIGN_IN_ISSUER: issuer,
  SIGN_IN_CLIENT_ID: clientId,
  SIGN_IN_SCOPES: scopes,
}: z.output<typeof ConsoleEnvironment>) {
  if (issuer === undefined || clientId === undefined) return null
  return { issuer, clientId, scopes: z.array(z.string()).parse(JSON.parse(scopes)) }
}

/** Returns a `PublishedPolicy` (shared/net/mta-sts/published.ts); null when there is no policy. */
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
 * @throws Error one line that names every invalid variable, for the log of a task that cannot start
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
