/** The settings of a deployment: the `mailflow` object of cdk.json's context, parsed once. */
import { z } from 'zod'
import { mailMemory } from '../shared/contract/ingress-memory.ts'
import { parseNameServer, parseNameServers } from '../shared/contract/name-server.ts'

/** Content must outlive the longest that its job can lie on a queue or dead-letter queue. */
const queueRetentionDays = 14

const secretArn = /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}$/
const keyArn = /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/
const certificateArn = /^arn:[\w-]+:acm:[\w-]+:\d{12}:certificate\/[\w-]+$/
const identityArn = /^arn:[\w-]+:ses:[\w-]+:\d{12}:identity\/\S+$/
const hostName = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/

const days = z.int().min(1).max(3650)

/** SQS's maximum concurrency starts at 2. */
const concurrency = z.int().min(2).max(1000)

/** Seconds one invocation may take, and how many run at once. */
const unit = (timeoutSeconds: number, atOnce: number, longestTimeout = 900) =>
  z
    .strictObject({
      /** Seconds that one invocation may take. */
      timeoutSeconds: z.int().min(1).max(longestTimeout).default(timeoutSeconds),
      /** Invocations at once. */
      concurrency: concurrency.default(atOnce),
    })
    .prefault({})

/** A unit whose code sets itself limits around this one, which is therefore no setting. */
const fixedUnit = (timeoutSeconds: number, atOnce: number) =>
  z
    .strictObject({
      /** Invocations at once. */
      concurrency: concurrency.default(atOnce),
    })
    .prefault({})
    .transform((settings) => ({ ...settings, timeoutSeconds }))

/** Seconds that a next hop may be silent. */
const silence = (byDefault: number) => z.number().positive().max(240).default(byDefault)

const SmtpTimeouts = z.strictObject({
  /** Seconds until the connection is open. */
  connect: silence(30),
  /** Seconds until the greeting, and again for the TLS handshake. */
  greeting: silence(60),
  /** Seconds until the reply to a command. */
  command: silence(60),
  /** Seconds without progress while the message is sent. */
  data: silence(120),
})

const Ingress = z.strictObject({
  /**
   * Fargate CPU units, 1024 a processor: a task is one process, which uses one processor. It has two MiB of memory a
   * unit, the least that Fargate pairs with each of these. More mail means more tasks (`maximumTasks`).
   */
  cpu: z
    .literal([256, 512, 1024], {
      error: 'must be 256, 512 or 1024: a task is one process, so more mail means more tasks (maximumTasks)',
    })
    .default(512),
  /** Tasks at any time. */
  minimumTasks: z.int().min(1).max(100).default(2),
  /** More tasks start while tasks use half of their processor or hold half of `maximumConnections`. */
  maximumTasks: z.int().min(1).max(1000).default(20),
  /** Octets; the default is what Exchange Online takes, 35 MiB, and what the functions have memory for. */
  maximumMessageSize: z.int().min(64_000).max(36_700_160).default(36_700_160),
  /** Recipients of a message; further ones are deferred with 452 and come in the next transaction. */
  maximumRecipients: z.int().min(100).max(1000).default(500),
  /** SMTP sessions in one task. */
  maximumConnections: z.int().min(1).default(1000),
  /** SMTP sessions in one task from one address: no sender, and no attacker, is to have them all. */
  maximumConnectionsPerAddress: z.int().min(1).default(200),
  /**
   * New connections a minute to one task from one address; 0 means as many as come. At the default, who connects only
   * to shake hands costs a hundredth of a processor, and a server that opens a connection a message sends ten a second.
   */
  maximumConnectionRatePerAddress: z.int().min(0).default(600),
  /** Messages a minute to one task from one address; 0 means as many as come. */
  maximumMessagesPerMinutePerAddress: z.int().min(0).default(0),
  /**
   * What becomes of a message with a bare CR, a bare LF or a NUL: it is refused, or its line ends are made CRLF, which
   * breaks its DKIM signatures.
   */
  unlawfulOctets: z.enum(['Refuse', 'Normalise']).default('Refuse'),
  /** Octets of a line of a message. RFC 5321 §4.5.3.1.6 says 1000; servers send longer ones, and few mind. */
  maximumLineLength: z.int().min(1000).max(1_048_576).default(65_536),
  /** Octets of a message's header section; the default is Exchange's, 256 KiB. */
  maximumHeaderSize: z.int().min(16_384).max(1_048_576).default(262_144),
  /** Refusals in one session, since its last accepted message, after which it is ended. */
  maximumErrors: z.int().min(1).max(1000).default(20),
  /**
   * The load balancer says in a header of the PROXY protocol who connects, instead of sending each packet with its
   * client's own address: for where packets must come from the balancer, such as behind network appliances.
   */
  proxyProtocol: z.boolean().default(false),
  /** How long a task that stops waits for messages in flight. */
  drainSeconds: z.int().min(1).max(115).default(100),
})

/** Each, and then all of them together. */
const NameServers = z
  .array(z.string().superRefine((value, context) => asIssue(() => parseNameServer(value), context)))
  .superRefine((values, context) => {
    if (context.issues.length === 0) asIssue(() => parseNameServers(values), context)
  })

function asIssue(parse: () => unknown, context: z.RefinementCtx): void {
  try {
    parse()
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
}

const Jwt = z.strictObject({
  /** The issuer of the tokens, as in their claim `iss`. */
  issuer: z.url({ protocol: /^https$/ }),
  /** Values of the claim `aud` that are accepted. */
  audience: z.array(z.string().min(1)).min(1),
  /** Scopes of which a caller's token must carry one; empty means that every token of the audience administers. */
  scopes: z.array(z.string().min(1)).default([]),
})

const TlsReporting = z.strictObject({
  /** Who reports, for people; `hostname` when left out. */
  organisation: z.string().min(1).max(200).optional(),
  /** `From` of reports by mail, and whom to ask about any; `postmaster@` and `hostname` when left out. */
  address: z.email().optional(),
  /**
   * Signs reports by mail; receivers must ignore those without a signature. SES signs by itself for the identities that
   * it verified so.
   */
  dkim: z
    .strictObject({
      /** That of `address`, or one above it. */
      domain: z.string().regex(hostName, 'must be a domain name in lower case'),
      /** The selector of the key's DNS record, `SELECTOR._domainkey.DOMAIN`. */
      selector: z
        .string()
        .regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/, 'must be a DNS label in lower case'),
      /** Whole ARN of a Secrets Manager secret with the JSON field `privateKey`, in PEM. */
      secretArn: z.string().regex(secretArn, 'must be the whole ARN of a Secrets Manager secret'),
      /** The KMS key of that secret, when it is not Secrets Manager's own. */
      secretKeyArn: z.string().regex(keyArn, 'must be the ARN of a KMS key').optional(),
    })
    .optional(),
})

/** The certificates of the ingress. */
const Certificate = z.strictObject({
  /** Exportable certificates of ACM, which it renews, in a secret of the stack's own. */
  acm: z
    .strictObject({
      /** The zone of `hostname` in Route 53, where the validation record goes; without it, you put it into DNS. */
      hostedZoneId: z
        .string()
        .regex(/^Z[A-Z0-9]{1,31}$/, 'must be the id of a hosted zone')
        .optional(),
      /** One of each kind is served side by side, so that every client gets one that it can check. */
      keyAlgorithms: z
        .array(z.enum(['EC', 'RSA']))
        .min(1)
        .refine((kinds) => new Set(kinds).size === kinds.length, 'must name each kind once')
        .default(['EC', 'RSA']),
    })
    .optional(),
  /** Days between the announcement of a renewed certificate of ACM and its use. */
  noticeDays: z.int().min(0).max(30).default(7),
  /** Seconds after which a task reads its secret again; a half of it more, at random, lies between two readings. */
  readEverySeconds: z.int().min(1).max(3600).default(240),
})

/** The policy by which senders know that our domains take mail by TLS only, with a certificate they can check. */
const MtaSts = z
  .strictObject({
    /** `testing` has senders report what would fail; `none` takes a policy back. */
    mode: z.enum(['testing', 'enforce', 'none']),
    /** How long senders keep the policy, and so hold us to it. RFC 8461 §3.2 has a year at most. */
    maxAgeDays: z.int().min(1).max(365).default(7),
    /** Accepted domains whose policy hosts, `mta-sts.DOMAIN`, are served here. */
    domains: z.array(z.string().regex(hostName, 'must be a domain name in lower case')).default([]),
    /** ARN of an ACM certificate of the stack's Region for all those hosts. */
    certificateArn: z.string().regex(certificateArn, 'must be the ARN of an ACM certificate').optional(),
  })
  .refine(({ domains, certificateArn }) => domains.length > 0 === (certificateArn !== undefined), {
    path: ['certificateArn'],
    message: 'is needed for the hosts of domains, and only for them',
  })

export const Config = z
  .strictObject({
    /** Our name in MX records, in the greeting and in EHLO. */
    hostname: z.string().regex(hostName, 'must be a fully qualified host name in lower case'),
    /**
     * Whole ARN of a Secrets Manager secret with the JSON fields `certificate` and `privateKey`, in PEM. Either this or
     * `certificate.acm`.
     */
    tlsSecretArn: z.string().regex(secretArn, 'must be the whole ARN of a Secrets Manager secret').optional(),
    /** The KMS key of that secret, when it is not Secrets Manager's own. */
    tlsSecretKeyArn: z.string().regex(keyArn, 'must be the ARN of a KMS key').optional(),
    certificate: Certificate.prefault({}),
    /** Where mail goes that no connector matches. */
    defaultRoute: z.enum(['Ses', 'Mx']).default('Ses'),
    /**
     * Deliver from fixed addresses of the VPC's NAT gateways, as `Mx` always does: set it when a connector
     * routes by MX or by a smart host on port 25, or when a partner admits us by address.
     */
    deliverInVpc: z.boolean().default(false),
    /** Private addresses for the ingress without NAT: interface endpoints for what it calls. */
    interfaceEndpoints: z.boolean().default(false),
    /** After how many hours the sender of mail that waits hears of it. */
    delayNotificationHours: z.number().min(0.25).max(23).default(4),
    /** Octets of a message that a DSN brings back whole, where the sender asks for it and nothing protected it. */
    maximumReturnedSize: z.int().min(0).max(10_000_000).default(100_000),
    /** In an accepted domain: where `rua=mailto:` of our TLS-RPT record sends reports (RFC 8460), which are kept here. */
    tlsReportAddress: z.email().optional(),
    /** The reports that others get of us (RFC 8460). */
    tlsReporting: TlsReporting.prefault({}),
    /** The MTA-STS policy of our domains (RFC 8461); left out, none is published here. */
    mtaSts: MtaSts.optional(),
    /** The key that encrypts messages: S3's own, or a KMS key of the stack. */
    contentEncryption: z.enum(['S3Managed', 'Kms']).default('S3Managed'),
    /** Days until content is deleted. */
    contentRetentionDays: days.min(queueRetentionDays).default(queueRetentionDays),
    /** Claims expire with the trace, and must outlive every job that could find them. */
    traceRetentionDays: days.min(queueRetentionDays + 1).default(90),
    /** CloudWatch Logs takes certain numbers only. */
    logRetentionDays: z
      .union([7, 14, 30, 60, 90, 180, 365, 731].map((value) => z.literal(value)))
      .default(90),
    /** Identities that may send through SES; empty means every identity of the account in its Region. */
    sesIdentityArns: z.array(z.string().regex(identityArn, 'must be the ARN of an SES identity')).default([]),
    /** Administrators sign in with tokens of this issuer instead of AWS signatures. */
    jwt: Jwt.optional(),
    /** Where alarms and notices are mailed; it should not be a mailbox behind this deployment. */
    alarmEmail: z.email().optional(),
    /**
     * Resolvers other than the VPC's or Lambda's own. DANE needs one that validates DNSSEC and sets the AD bit, by a way
     * on which nobody can change what it says: it is believed. Amazon's resolver of a VPC sets no AD bit, so that with
     * it no domain counts as signed.
     *
     * `tls://address[:port]#name` is asked by TLS, and `name` is what its certificate must be for: good for a resolver
     * on the internet, such as `tls://9.9.9.9#dns.quad9.net`. `address[:port]` or `[IPv6 address]:port` is asked in the
     * clear: good for one in the VPC. No list has both kinds.
     */
    dnsServers: NameServers.default([]),
    /** Loopback or private networks, as CIDR, that a partner's MX may point into. */
    privateMxNetworks: z.array(z.union([z.cidrv4(), z.cidrv6()])).default([]),
    ingress: Ingress.prefault({}),
    functions: z
      .strictObject({
        evaluate: unit(30, 50),
        /**
         * RFC 5321 §4.5.3.2 lets one SMTP command take minutes. The function gives an attempt 270 seconds and claims
         * it for 360.
         */
        deliver: z
          .strictObject({
            concurrency: concurrency.default(50),
            /** Deliveries to one destination at once, over all workers. */
            concurrencyPerDestination: z.int().min(1).max(1000).default(10),
            smtpTimeouts: SmtpTimeouts.prefault({}),
          })
          .prefault({})
          .transform((settings) => ({ ...settings, timeoutSeconds: 300 })),
        /** The function gives itself 25 seconds, and API Gateway gives it 29. */
        validate: fixedUnit(29, 5),
        /** A claim on a DSN lasts 90 seconds. */
        bounce: unit(60, 10, 60),
        api: unit(15, 20),
        /** Nobody waits for a page longer than that. */
        pages: fixedUnit(10, 10),
        /** A turn of telling partners lasts two minutes. */
        rotate: fixedUnit(60, 2),
        /** A claim on a report lasts 20 minutes. */
        report: fixedUnit(900, 2),
        foresight: fixedUnit(300, 1),
      })
      .prefault({}),
    /** Off in an account whose Lambda concurrency limit leaves nothing to reserve (new accounts start at 10). */
    reserveConcurrency: z.boolean().default(true),
  })
  .refine((config) => config.ingress.minimumTasks <= config.ingress.maximumTasks, {
    path: ['ingress', 'minimumTasks'],
    message: 'must not exceed maximumTasks',
  })
  .superRefine(({ ingress }, context) => {
    const { maximumConnections: sessions } = ingress
    try {
      mailMemory({ memoryMebibytes: ingressMemory(ingress), sessions })
    } catch (error) {
      const message = `${(error as Error).message}; a larger cpu has more, up to 1024`
      context.addIssue({ code: 'custom', path: ['ingress', 'maximumConnections'], message })
    }
  })
  .refine(
    ({ tlsSecretArn, certificate }) => (tlsSecretArn === undefined) !== (certificate.acm === undefined),
    {
      path: ['tlsSecretArn'],
      message: 'is where the certificates come from, or certificate.acm is: set one of the two',
    },
  )
  .refine(signsForItself, {
    path: ['tlsReporting', 'dkim', 'domain'],
    message: "must be the domain of the reports' address, or one above it",
  })

type IngressSettings = z.output<typeof Ingress>

/** MiB of one task. */
export const ingressMemory = ({ cpu }: IngressSettings): number => cpu * 2

/** The names by which senders ask for our policy (RFC 8461 §3.3). */
export const policyHosts = ({ mtaSts }: Pick<Config, 'mtaSts'>): string[] =>
  [...new Set(mtaSts?.domains)].map((domain) => `mta-sts.${domain}`)

/** Who reports to others on TLS with them. */
export function reporterOf({ hostname, tlsReporting }: Pick<Config, 'hostname' | 'tlsReporting'>) {
  const { organisation = hostname, address = `postmaster@${hostname}`, dkim } = tlsReporting
  return { organisation, address, dkim }
}

function signsForItself(config: Pick<Config, 'hostname' | 'tlsReporting'>): boolean {
  const { address, dkim } = reporterOf(config)
  return dkim === undefined || `.${address.slice(address.lastIndexOf('@') + 1)}`.endsWith(`.${dkim.domain}`)
}

export interface Config extends z.output<typeof Config> {}

/** What is wrong with the settings, in one line. */
export class ConfigurationError extends Error {}

/**
 * Parses the settings.
 * @throws ConfigurationError naming each setting at fault and why
 */
export function readConfig(settings: unknown): Config {
  const parsed = Config.safeParse(settings)
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map(
    (issue) => `${['mailflow', ...issue.path].join('.')}: ${issue.message}`,
  )
  throw new ConfigurationError(`cdk.json context: ${faults.join('; ')}`)
}

/** Tells a unit what decisions depend on besides connectors. */
export function tellDecisionSettings(
  { defaultRoute, delayNotificationHours, tlsReportAddress }: Config,
  unit: { addEnvironment(name: string, value: string): unknown },
): void {
  unit.addEnvironment('DEFAULT_ROUTE', defaultRoute)
  unit.addEnvironment('DELAY_NOTIFICATION_HOURS', String(delayNotificationHours))
  if (tlsReportAddress !== undefined) unit.addEnvironment('TLS_REPORT_ADDRESS', tlsReportAddress)
}

/** Whether delivery leaves by NAT gateways, and so whether there are any. */
export function deliversInVpc(config: Config): boolean {
  return config.defaultRoute === 'Mx' || config.deliverInVpc
}

/** Settings that still are the examples of the shipped cdk.json: fine to synthesise, useless to deploy. */
export function exampleSettings(config: Config): string[] {
  const examples = {
    hostname: config.hostname.endsWith('.example.com'),
    tlsSecretArn: config.tlsSecretArn?.includes(':123456789012:') ?? false,
  }
  return Object.entries(examples).flatMap(([name, isExample]) => (isExample ? [name] : []))
}
