/** The settings of a deployment: the `mailflow` object in the context of cdk.json, parsed once. */
import * as z from 'zod'
import { mailMemoryOctets } from '../shared/contract/ingress-memory.ts'
import { parseNameServer, parseNameServers } from '../shared/contract/name-server.ts'
import { Role, type RoleMapping } from '../shared/contract/roles.ts'
import { Network } from './network-settings.ts'
import { otherRegions } from './regional-settings.ts'

/** Content must outlive its job, which can stay this long on a queue or dead-letter queue. */
const queueRetentionDays = 14

const secretArn = /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}$/
const keyArn = /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/
const singleRegionKeyArn = /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/(?!mrk-)[\w-]+$/
const certificateArn = /^arn:[\w-]+:acm:[\w-]+:\d{12}:certificate\/[\w-]+$/
const policyArn = /^arn:[\w-]+:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/
const topicArn = /^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]{1,256}$/
const identityArn = /^arn:[\w-]+:ses:[\w-]+:\d{12}:identity\/\S+$/
const hostName = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/

const days = z.int().min(1).max(3650)

/**
 * Tags that CloudFormation accepts for a stack and IAM for a role. A refused tag would fail the deployment halfway
 * (https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Tag.html,
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html).
 */
const Tags = z
  .record(
    z.string(),
    z
      .string()
      .regex(/^[\p{L}\p{Z}\p{N}_.:/=+@-]{1,256}$/u, 'must be 1 to 256 letters, digits, spaces and _.:/=+-@'),
  )
  .refine(
    (tags) => Object.keys(tags).every((key) => /^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+@-]{1,128}$/iu.test(key)),
    'must have keys of 1 to 128 letters, digits, spaces and _.:/=+-@, which do not begin with aws:',
  )
  .refine(
    (tags) => Object.keys(tags).length <= 47,
    'must be at most 47: AWS permits 50 for a resource, and a subnet has three of its own',
  )

/**
 * The maximum concurrency of an SQS event source, from 2 to 1000
 * (https://docs.aws.amazon.com/lambda/latest/dg/API_ScalingConfig.html). It bounds a function without reserving
 * concurrency for it.
 */
const concurrency = z.int().min(2).max(1000)

const unit = (timeoutSeconds: number, defaultConcurrency: number, maxTimeoutSeconds = 900) =>
  z
    .strictObject({
      /** Seconds that one invocation may take. */
      timeoutSeconds: z.int().min(1).max(maxTimeoutSeconds).default(timeoutSeconds),
      /** Concurrent invocations; a function without a queue is limited only with `reserveConcurrency`. */
      concurrency: concurrency.default(defaultConcurrency),
    })
    .prefault({})

/** A unit with a fixed timeout, because limits in its code depend on it. */
const fixedTimeoutUnit = (timeoutSeconds: number, defaultConcurrency: number) =>
  z
    .strictObject({
      /** Concurrent invocations, with `reserveConcurrency`. */
      concurrency: concurrency.default(defaultConcurrency),
    })
    .prefault({})
    .transform((settings) => ({ ...settings, timeoutSeconds }))

/** A timeout of SMTP sessions with next hops, in seconds. */
const timeoutSetting = (defaultSeconds: number) => z.number().positive().max(240).default(defaultSeconds)

const SmtpTimeouts = z.strictObject({
  /** Seconds until the TCP connection is open. @default 30 */
  connect: timeoutSetting(30),
  /** Seconds for the greeting, and again for the TLS handshake. @default 60 */
  greeting: timeoutSetting(60),
  /** Seconds for each reply to a command. @default 60 */
  command: timeoutSetting(60),
  /** Seconds in which the server takes no octet of the message. @default 120 */
  data: timeoutSetting(120),
})

const Ingress = z.strictObject({
  /**
   * Fargate CPU units; 1024 are one processor. A task is one process, which uses at most one processor. The task has
   * two MiB of memory per CPU unit, and at least 1024 MiB. More mail needs more tasks (`maximumTasks`), which start by
   * themselves.
   * @default 256
   */
  cpu: z
    .literal([256, 512, 1024], {
      error: 'must be 256, 512 or 1024: a task is one process, so more mail means more tasks (maximumTasks)',
    })
    .default(256),
  /** Smallest number of tasks. @default 2 */
  minimumTasks: z.int().min(1).max(100).default(2),
  /**
   * Largest number of tasks. More start when tasks use over half of their CPU or of `maximumConnections`.
   * @default 20
   */
  maximumTasks: z.int().min(1).max(1000).default(20),
  /**
   * Largest message in octets. The default is the limit of Exchange Online, 35 MiB, and fits the memory of the
   * functions.
   * @default 36700160
   */
  maximumMessageSize: z.int().min(64_000).max(36_700_160).default(36_700_160),
  /** Largest number of recipients of a message; the client sends further recipients again after 452. @default 500 */
  maximumRecipients: z.int().min(100).max(1000).default(500),
  /** SMTP sessions in one task. @default 1000 */
  maximumConnections: z.int().min(1).default(1000),
  /** SMTP sessions in one task from one address, so that no client can use them all. @default 200 */
  maximumConnectionsPerAddress: z.int().min(1).default(200),
  /**
   * New connections per minute to one task from one address; 0 means no limit. Sessions that an OnPremises connector
   * identified do not count. At the default, a client that only completes TLS handshakes uses about a twentieth of a
   * processor, and a partner's server that opens one connection per message can send 15 messages per second.
   * @default 900
   */
  maximumConnectionRatePerAddress: z.int().min(0).default(900),
  /** Messages per minute to one task from one address; 0 means no limit. @default 0 */
  maximumMessagesPerMinutePerAddress: z.int().min(0).default(0),
  /**
   * Handling of a message with a bare CR, a bare LF or a NUL: `Refuse` refuses it. `Normalise` makes its line ends
   * CRLF and drops each NUL, which breaks its DKIM signatures.
   * @default Refuse
   */
  bareNewlines: z.enum(['Refuse', 'Normalise']).default('Refuse'),
  /**
   * Syntax of MAIL FROM and RCPT TO: `Lenient` also accepts spaces after the colon and an address without angle
   * brackets, which some devices send. `Strict` refuses both.
   * @default Lenient
   */
  envelopeSyntax: z.enum(['Lenient', 'Strict']).default('Lenient'),
  /**
   * Octets in a line of a message. RFC 5321 §4.5.3.1.6 allows 1000, but servers send and accept longer lines.
   * @default 65536
   */
  maximumLineLength: z.int().min(1000).max(1_048_576).default(65_536),
  /** Octets in the header section of a message. The default is the limit of Exchange, 256 KiB. @default 262144 */
  maximumHeaderSize: z.int().min(16_384).max(1_048_576).default(262_144),
  /** Refused commands in one session since its last accepted message, after which the session ends. @default 20 */
  maximumErrors: z.int().min(1).max(1000).default(20),
  /**
   * Makes the load balancer send the client's address in a PROXY protocol header, instead of as the source of each
   * packet. Set it where packets must come from the load balancer, for example behind network appliances. First ask AWS
   * Support to permit the target group attribute `proxy_protocol_v2.client_to_server.header_placement` in your account.
   * Without it the header would wait for the client's first octets, and the client waits for the greeting.
   * @default false
   */
  proxyProtocol: z.boolean().default(false),
  /**
   * Accepts connections over IPv6 too, with the client's address. The ECS account setting `dualStackIPv6` must be
   * enabled. In an existing VPC, its subnets named here must have IPv6 networks and assign addresses, and the AAAA
   * records of the output `LoadBalancerName` are the addresses to publish.
   * @default false
   */
  ipv6: z.boolean().default(false),
  /** Seconds that a stopping task waits for open transactions. @default 100 */
  drainSeconds: z.int().min(1).max(115).default(100),
})

/** Checks each server, and then the list as a whole. */
const NameServers = z
  .array(z.string().superRefine((value, context) => addIssueOnThrow(() => parseNameServer(value), context)))
  .superRefine((values, context) => {
    if (context.issues.length === 0) addIssueOnThrow(() => parseNameServers(values), context)
  })

function addIssueOnThrow(parse: () => unknown, context: z.RefinementCtx): void {
  try {
    parse()
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
}

/** The roles share the 4 KB of a function's environment variables with its other settings. */
const maxRolesOctets = 2048

const Jwt = z.strictObject({
  /** HTTPS URL of the token issuer. */
  issuer: z.url({ protocol: /^https$/ }),
  /** Accepted audiences of a token. */
  audience: z.array(z.string().min(1)).min(1),
  /** A token must carry one of these scopes; an empty list accepts every token of the audience. @default [] */
  scopes: z.array(z.string().min(1)).default([]),
  /** How tokens give roles. A person whose token gives none can use no route. */
  roles: z
    .strictObject({
      /** Name of a claim at the top level of the token, such as `groups`, `roles`, `cognito:groups` or `scope`. */
      claim: z.string().min(1),
      /**
       * The role, or a list of roles, for each value of the claim: `read`, `operate`, `administer` or `audit`. Letter
       * case counts. A person has the roles of all values. A text is one value; in `scope` and `scp` it is a list with
       * spaces.
       */
      mapping: z
        .record(z.string().min(1), z.union([Role.transform((role) => [role]), z.array(Role).min(1)]))
        .refine(
          (mapping) => Object.keys(mapping).length > 0,
          'must map a value of the claim to a role: without one, no person has a role',
        ),
    })
    .refine(
      (roles) => Buffer.byteLength(JSON.stringify(roles)) <= maxRolesOctets,
      `must not exceed ${maxRolesOctets} octets as JSON`,
    ),
})

const Console = z.strictObject({
  /** Id of the console at the issuer of `jwt`: a public client with PKCE. Its redirect URI is the output `ConsoleUrl`. */
  clientId: z.string().min(1).optional(),
  /**
   * Minutes of a person's session: after them the issuer must authenticate the person again. They count from the last
   * authentication at the issuer, or from the sign-in if the issuer sends no `auth_time`. A session ends earlier if the
   * issuer renews no token.
   * @default 480
   */
  sessionMinutes: z.int().min(5).max(1440).default(480),
})

const Api = z.strictObject({
  /** Host name of the API. Its CNAME record has the value of the output `ApiTarget`. */
  domainName: z.string().regex(hostName, 'must be a domain name in lower case'),
  /** ARN of an ACM certificate for that name, in the stack's Region. */
  certificateArn: z.string().regex(certificateArn, 'must be the ARN of an ACM certificate'),
})

const SigningKey = z.strictObject({
  /** The signing domain. For reports: the domain of `address`, or one above it. */
  domain: z.string().regex(hostName, 'must be a domain name in lower case'),
  /** DKIM selector of the key (RFC 6376 §3.1). */
  selector: z.string().regex(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/, 'must be a DNS label in lower case'),
  /** ARN of a Secrets Manager secret, with suffix. Its JSON field `privateKey` is in PEM. */
  secretArn: z.string().regex(secretArn, 'must be the complete ARN of a Secrets Manager secret'),
  /** ARN of the KMS key of that secret. @default the key of Secrets Manager */
  secretKeyArn: z.string().regex(keyArn, 'must be the ARN of a KMS key').optional(),
})

const TlsReporting = z.strictObject({
  /** Organisation that reports. @default `hostname` */
  organisation: z.string().min(1).max(200).optional(),
  /** `From` of reports by mail, and the contact for questions about them. @default `postmaster@` and `hostname` */
  address: z.email().optional(),
  /**
   * The key that signs reports sent by mail; receivers must ignore unsigned reports. SES signs by itself for identities
   * that are verified with DKIM.
   * @default unsigned
   */
  dkim: SigningKey.optional(),
})

const mailboxes = z
  .array(z.email())
  .max(20, 'must be at most 20 mailboxes: a list of your mail server can reach more')
  .default([])

/** The counts of reports, sent to administrators by mail. */
const Summaries = z
  .strictObject({
    /** `From` of the summaries. @default `tlsReporting.address` */
    from: z.email().optional(),
    /** Mailboxes that get a summary of each day. @default [] */
    daily: mailboxes,
    /** Mailboxes that get a summary of each week, on Mondays. @default [] */
    weekly: mailboxes,
  })
  .refine(
    ({ daily, weekly }) => daily.length + weekly.length > 0,
    'must name a mailbox in daily or weekly, or be left out',
  )

export interface Summaries extends z.output<typeof Summaries> {}

const zoneId = z.string().regex(/^Z[A-Z0-9]{1,31}$/, 'must be the id of a hosted zone')

/** The certificates of the ingress. */
const Certificate = z.strictObject({
  /** Exportable certificates, which ACM issues and renews, in a secret of the stack. @default none */
  acm: z
    .strictObject({
      /** Route 53 zone of `hostname`, for the validation record. @default none: add the record yourself */
      hostedZoneId: zoneId.optional(),
      /**
       * Key types. One certificate of each is served, so that every client gets one that it can verify. @default EC
       * and RSA
       */
      keyAlgorithms: z
        .array(z.enum(['EC', 'RSA']))
        .min(1)
        .refine((kinds) => new Set(kinds).size === kinds.length, 'must name each kind once')
        .default(['EC', 'RSA']),
    })
    .optional(),
  /** Days between the announcement of a renewed certificate of ACM and its use. @default 7 */
  noticeDays: z.int().min(0).max(30).default(7),
  /** Seconds after which a task reads its secret again, plus up to half as much at random. @default 240 */
  readEverySeconds: z.int().min(1).max(3600).default(240),
})

/** MTA-STS: tells senders that the organisation's domains accept mail only over TLS with a verifiable certificate. */
const MtaSts = z
  .strictObject({
    /**
     * When TLS fails, senders only report the failure (`testing`), or do not deliver (`enforce`). `none` withdraws the
     * policy.
     */
    mode: z.enum(['testing', 'enforce', 'none']),
    /** Days that senders cache the policy. RFC 8461 §3.2 allows about a year. @default 7 */
    maxAgeDays: z.int().min(1).max(365).default(7),
    /** Accepted domains whose policy hosts, `mta-sts.DOMAIN`, this deployment serves. @default [] */
    domains: z.array(z.string().regex(hostName, 'must be a domain name in lower case')).default([]),
    /**
     * ARN of an ACM certificate for all those hosts, in the stack's Region, or in us-east-1 with `cloudFront`.
     * @default none
     */
    certificateArn: z.string().regex(certificateArn, 'must be the ARN of an ACM certificate').optional(),
    /**
     * Serves those hosts and the public page through CloudFront, so that a flood of requests does not hide the policy
     * from senders. A change of this setting changes the target of each host's CNAME record.
     * @default false
     */
    cloudFront: z.boolean().default(false),
  })
  .refine(({ domains, certificateArn }) => domains.length > 0 === (certificateArn !== undefined), {
    path: ['certificateArn'],
    message: 'must be set if domains are listed, and only then',
  })
  .refine(({ certificateArn, cloudFront }) => !cloudFront || certificateArn?.split(':')[3] === 'us-east-1', {
    path: ['cloudFront'],
    message:
      'needs domains, and a certificateArn in us-east-1: CloudFront accepts certificates of that Region only',
  })

export const Config = z
  .strictObject({
    /**
     * Name of the stack. The name separates the metrics, alarms, secrets and events of several stacks in a Region. A new
     * name creates a new stack, without the mail and the connectors of the old one.
     * @default `Mailflow`, with `-` and the environment (`cdk deploy -c env=NAME`)
     */
    stackName: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9-]{0,99}$/, 'must be letters, digits and hyphens, and begin with a letter')
      .optional(),
    /** Tags of every resource that can have tags. @default {} */
    tags: Tags.default({}),
    /** ARN of an IAM policy that limits every role of the stack. @default none */
    permissionsBoundary: z.string().regex(policyArn, 'must be the ARN of an IAM policy').optional(),
    /** Host name of the gateway in MX records, in the greeting and in EHLO. */
    hostname: z.string().regex(hostName, 'must be a fully qualified host name in lower case'),
    /**
     * ARN of a Secrets Manager secret, with suffix. Its JSON fields `certificate` and `privateKey` are in PEM. Set
     * either this or `certificate.acm`.
     */
    tlsSecretArn: z
      .string()
      .regex(secretArn, 'must be the complete ARN of a Secrets Manager secret')
      .optional(),
    /** ARN of the KMS key of that secret. @default the key of Secrets Manager */
    tlsSecretKeyArn: z.string().regex(keyArn, 'must be the ARN of a KMS key').optional(),
    /** The certificates of the ingress. */
    certificate: Certificate.prefault({}),
    /**
     * Publishes the TLSA records of the ingress for senders that use DANE, and replaces them at each rotation.
     * @default none: publish them yourself
     */
    tlsa: z
      .strictObject({
        /**
         * Route 53 zone of `hostname`, which must be public and signed with DNSSEC. mailflow adds and removes the records
         * `3 1 1` of its own keys at `_25._tcp.HOSTNAME`, and leaves other records as they are.
         */
        hostedZoneId: zoneId,
      })
      .optional(),
    /** Route of mail that no connector matches. @default Ses */
    defaultRoute: z.enum(['Ses', 'Mx']).default('Ses'),
    /** The VPC of the ingress and of deliveries. */
    network: Network.prefault({}),
    /**
     * Delivers from the VPC: from fixed addresses of its NAT gateways, or in an existing VPC from its owner's addresses.
     * With `defaultRoute` `Mx` this is always so. Set it when a connector routes by MX lookup or through a smart host
     * on port 25, or when a partner accepts mail only from known addresses.
     * @default false
     */
    deliverInVpc: z.boolean().default(false),
    /**
     * Gives the ingress private addresses without NAT gateways: it reaches AWS through interface endpoints. In an
     * existing VPC, the owner makes the endpoints.
     * @default false
     */
    interfaceEndpoints: z.boolean().default(false),
    /** Hours after which the sender of deferred mail gets a DSN. @default 4 */
    delayNotificationHours: z.number().min(0.25).max(23).default(4),
    /**
     * Largest message in octets that a DSN returns whole, if the sender requests that and no TLS requirement applied to
     * the message.
     * @default 100000
     */
    maximumReturnedSize: z.int().min(0).max(10_000_000).default(100_000),
    /**
     * Address in an accepted domain for `rua=mailto:` of the organisation's TLSRPT record (RFC 8460). Reports to it are
     * stored.
     * @default none
     */
    tlsReportAddress: z.email().optional(),
    /**
     * Mailbox for mail to `postmaster` and to `postmaster@` and `hostname`, such as replies to DSNs. Outside the
     * accepted domains it needs `defaultRoute` `Mx` or an outbound connector, because SES refuses foreign senders.
     * @default postmaster of the longest accepted domain that contains `hostname`; if none does, of the first that was accepted
     */
    postmaster: z.email().optional(),
    /** The TLS reports that mailflow sends to other domains (RFC 8460). */
    tlsReporting: TlsReporting.prefault({}),
    /**
     * Summaries by mail, at about 03:00 UTC: what was accepted, delivered, bounced, refused and in the clear on the day
     * before, or in the week before. The key of `tlsReporting.dkim` signs them.
     * @default none are sent
     */
    summaries: Summaries.optional(),
    /**
     * The key that seals authenticated mail with ARC (RFC 8617), for mailbox servers that trust this gateway's seals.
     * @default no seal
     */
    arc: SigningKey.optional(),
    /** The MTA-STS policy of the organisation's domains (RFC 8461). @default none is published */
    mtaSts: MtaSts.optional(),
    /**
     * ARN of a symmetric KMS key of the stack's account and Region. It encrypts all that the stack stores: tables,
     * queues, message content, disks of the ingress, logs and topics. The key's policy must allow what
     * `docs/generated/key-policy.md` shows.
     * @default keys of AWS
     */
    encryptionKeyArn: z
      .string()
      .regex(singleRegionKeyArn, 'must be the ARN of a KMS key that is not a multi-Region key')
      .optional(),
    /** Days that message content is stored. @default 14 */
    contentRetentionDays: days.min(queueRetentionDays).default(queueRetentionDays),
    /**
     * Days that the trace is stored. Claims expire with the trace, and must outlive every job that uses them.
     * @default 15
     */
    traceRetentionDays: days.min(queueRetentionDays + 1).default(15),
    /** Days that events are stored: Parquet files and the counts of reports. @default 90 */
    eventRetentionDays: days.min(queueRetentionDays + 1).default(90),
    /**
     * Replaces the local parts of addresses in events by hashes, whose key is in Secrets Manager. Searches and erasures by
     * an address find them only while this is set.
     * @default false
     */
    hashEventAddresses: z.boolean().default(false),
    /** Searches in events, by Athena. */
    search: z
      .strictObject({
        /**
         * Gigabytes (10^9 octets) of Parquet files that one search may read; Athena cancels a search that reads more. AWS
         * bills what is read.
         * @default 100
         */
        maxScannedGigabytes: z.int().min(1).max(10_000).default(100),
      })
      .prefault({}),
    /** Days that logs are stored; CloudWatch Logs allows these numbers only. @default 90 */
    logRetentionDays: z
      .union([7, 14, 30, 60, 90, 180, 365, 731].map((value) => z.literal(value)))
      .default(90),
    /**
     * Protects the tables and the load balancer against deletion. Turn it on after the first successful deployment: a
     * failed first deployment cannot remove a protected resource, so it cannot be repeated.
     * @default false
     */
    deletionProtection: z.boolean().default(false),
    /** Identities that may send through SES; empty means every identity of the account in its Region. @default [] */
    sesIdentityArns: z.array(z.string().regex(identityArn, 'must be the ARN of an SES identity')).default([]),
    /**
     * People sign in with tokens of this issuer, at the URL of the output `SignInUrl`. Machines sign their requests at
     * `ApiUrl`, as without this setting.
     * @default AWS signatures only
     */
    jwt: Jwt.optional(),
    /**
     * The console: a page for administrators at `/console/` of the API for people who sign in. Without `jwt` it is at the
     * API for machines, whose requests a browser cannot sign.
     * @default no console
     */
    console: Console.optional(),
    /** A domain name of the organisation for the API; the output `ApiUrl` then shows it. @default the URL of API Gateway */
    api: Api.optional(),
    /** Mail address for alarms and notices; not a mailbox behind this deployment. @default none */
    alarmEmail: z.email().optional(),
    /**
     * ARN of an SNS topic for alarms; `alarmEmail` then receives notices only. The policies of the topic and of its KMS
     * key must admit `cloudwatch.amazonaws.com`.
     * @default a topic of the stack
     */
    alarmsTopicArn: z.string().regex(topicArn, 'must be the ARN of an SNS topic').optional(),
    /**
     * Resolvers to use instead of the VPC's or Lambda's. DANE needs a resolver that validates DNSSEC and sets the AD
     * bit. mailflow trusts that bit, so the path to the resolver must be secure. Amazon's VPC resolver sets no AD bit:
     * with it, no domain is treated as signed.
     *
     * Name a resolver on the internet as `tls://address[:port]#name`, such as `tls://9.9.9.9#dns.quad9.net`. It is
     * queried over TLS, and its certificate must be for `name`. Name a resolver in the VPC as `address[:port]` or
     * `[IPv6 address]:port`. It is queried in the clear. A list must not mix both kinds.
     * @default []
     */
    dnsServers: NameServers.default([]),
    /** Loopback or private networks, as CIDR, in which a partner's MX hosts may have addresses. @default [] */
    privateMxNetworks: z.array(z.union([z.cidrv4(), z.cidrv6()])).default([]),
    /** The SMTP ingress. */
    ingress: Ingress.prefault({}),
    /** Timeouts and concurrency of the functions. */
    functions: z
      .strictObject({
        evaluate: z
          .strictObject({
            /** Seconds that one invocation may take. @default 30 */
            timeoutSeconds: z.int().min(1).max(900).default(30),
            /** Concurrent invocations. @default 50 */
            concurrency: concurrency.default(50),
            /** As for `deliver`. Each message waits in addition to it, so only much mail is worth it. @default 0 */
            batchingWindowSeconds: z.int().min(0).max(20).default(0),
          })
          .prefault({}),
        /**
         * A batch begins no authentication after 60 seconds, so that each ends in time. Name servers that do not answer
         * occupy at most this concurrency, and nothing else waits for it.
         */
        authenticate: fixedTimeoutUnit(120, 20),
        /**
         * The function's timeout is 300 seconds, because RFC 5321 §4.5.3.2 allows minutes for one SMTP command. The
         * attempts of a batch end after 270 seconds, so that results can still be written. A claim lasts 360 seconds.
         */
        deliver: z
          .strictObject({
            /** Concurrent invocations. @default 50 */
            concurrency: concurrency.default(50),
            /**
             * Maximum of concurrent deliveries to one destination, over all workers. A destination begins with at most
             * 10, gets more while it accepts mail, and fewer when it is overloaded.
             * @default 100
             */
            concurrencyPerDestination: z.int().min(1).max(1000).default(100),
            /**
             * Seconds for which Lambda gathers jobs before it invokes the function, which saves most of its cost above
             * about ten messages per second. On a quiet queue, a message may wait up to 20 seconds. With 0, no message
             * waits, and batches have at most 10 jobs.
             * @default 1
             */
            batchingWindowSeconds: z.int().min(0).max(20).default(1),
            smtpTimeouts: SmtpTimeouts.prefault({}),
          })
          .prefault({})
          .transform((settings) => ({
            ...settings,
            timeoutSeconds: 300,
            // A destination that hangs must leave most workers to the others.
            workersPerDestination: Math.max(1, Math.ceil(settings.concurrency * 0.4)),
            // Unproven destinations need no setting of their own: they get a part of what the others have, in addition.
            unprovenConcurrency: Math.max(2, Math.ceil(settings.concurrency * 0.4)),
            lowPriorityConcurrency: Math.max(2, Math.ceil(settings.concurrency * 0.2)),
          })),
        /** A validation ends after 25 seconds by itself, a check of DNS records after 20; API Gateway waits 30 seconds. */
        validate: fixedTimeoutUnit(29, 5),
        /** A callout ends after 12 seconds by itself; the ingress waits 15 seconds. */
        check: fixedTimeoutUnit(15, 20),
        /** The timeout must be less than the 90 seconds of a claim on a DSN. */
        bounce: unit(60, 10, 60),
        /** A request for all waiting mail, or for dead letters, searches for up to eight seconds. */
        api: fixedTimeoutUnit(15, 20),
        /** API Gateway waits 30 seconds. */
        eventApi: fixedTimeoutUnit(29, 5),
        /** A person who opens a page does not wait longer. */
        pages: fixedTimeoutUnit(10, 10),
        console: fixedTimeoutUnit(10, 10),
        /** Less than the lease for notifying partners, which lasts two minutes. */
        rotate: fixedTimeoutUnit(60, 2),
        /** Less than a claim on a report, which lasts 20 minutes. */
        report: fixedTimeoutUnit(900, 2),
        expiryWatch: fixedTimeoutUnit(300, 1),
        /** Less than the time after an hour in which events of that hour are still stored. */
        record: fixedTimeoutUnit(60, 10),
        /** At most sixteen invocations seal an hour. */
        seal: fixedTimeoutUnit(900, 20),
        /** An erasure that takes longer continues in another invocation. */
        erase: fixedTimeoutUnit(900, 2),
      })
      .prefault({}),
    /**
     * Messages per second that the tables carry at once. DynamoDB raises this by itself, but takes time. AWS bills each
     * increase above 800 once, and refuses less than what a table already carries: then set more.
     * @default 1000
     */
    warmMessagesPerSecond: z.int().min(1).max(20_000).default(1000),
    /**
     * Reserves its concurrency for each function, so that no other function of the account can take it. AWS refuses a
     * reservation that leaves less than 100 unreserved, so new accounts cannot reserve.
     * @default false
     */
    reserveConcurrency: z.boolean().default(false),
  })
  .refine((config) => config.ingress.minimumTasks <= config.ingress.maximumTasks, {
    path: ['ingress', 'minimumTasks'],
    message: 'must not exceed maximumTasks',
  })
  .refine(({ network, interfaceEndpoints }) => !interfaceEndpoints || network.existingVpc === undefined, {
    path: ['interfaceEndpoints'],
    message: 'must not be set with network.existingVpc: its owner creates the endpoints',
  })
  .refine(
    ({ network: { existingVpc }, ingress }) =>
      !ingress.proxyProtocol || existingVpc === undefined || existingVpc.publicSubnetCidrs !== undefined,
    {
      path: ['network', 'existingVpc', 'publicSubnetCidrs'],
      message: 'must be set with ingress.proxyProtocol: tasks trust its header from these networks only',
    },
  )
  .superRefine(({ ingress }, context) => {
    const { maximumConnections: sessions } = ingress
    try {
      mailMemoryOctets({ memoryMebibytes: ingressMemory(ingress), maxSessions: sessions })
    } catch (error) {
      const message = `${(error as Error).message}; a larger cpu gives more memory, up to 1024`
      context.addIssue({ code: 'custom', path: ['ingress', 'maximumConnections'], message })
    }
  })
  .refine(
    ({ tlsSecretArn, certificate }) => (tlsSecretArn === undefined) !== (certificate.acm === undefined),
    {
      path: ['tlsSecretArn'],
      message: 'set either this or certificate.acm: one of them names the certificates',
    },
  )
  .refine(({ hostname, postmaster }) => !postmaster?.toLowerCase().endsWith(`@${hostname}`), {
    path: ['postmaster'],
    message: 'must not be at hostname: its mail would return to mailflow',
  })
  .superRefine((config, context) => {
    for (const { path, message } of otherRegions(config)) context.addIssue({ code: 'custom', path, message })
  })
  .refine(hasMatchingDkimDomain, {
    path: ['tlsReporting', 'dkim', 'domain'],
    message: "must be the domain of the reports' address, or one above it",
  })
  .refine(
    ({ console, jwt }) => console === undefined || (console.clientId === undefined) === (jwt === undefined),
    {
      path: ['console', 'clientId'],
      message: 'is needed with jwt, and has no use without it',
    },
  )
  .refine(
    ({ summaries, tlsReporting: { dkim } }) =>
      summaries?.from === undefined || dkim === undefined || isBelow(summaries.from, dkim.domain),
    {
      path: ['summaries', 'from'],
      message: 'must be at tlsReporting.dkim.domain or below it: the key of that domain signs summaries',
    },
  )

type IngressSettings = z.output<typeof Ingress>

/** Memory of one task in MiB. Sessions and messages need it, however small the share of a processor is. */
export const ingressMemory = ({ cpu }: IngressSettings): number => Math.max(1024, cpu * 2)

/** Host names at which senders fetch the MTA-STS policies (RFC 8461 §3.3). */
export const policyHosts = ({ mtaSts }: Pick<Config, 'mtaSts'>): string[] =>
  [...new Set(mtaSts?.domains)].map((domain) => `mta-sts.${domain}`)

/** The sender of TLS reports, with its defaults. */
export function reporterOf({ hostname, tlsReporting }: Pick<Config, 'hostname' | 'tlsReporting'>) {
  const { organisation = hostname, address = `postmaster@${hostname}`, dkim } = tlsReporting
  return { organisation, address, dkim }
}

function hasMatchingDkimDomain(config: Pick<Config, 'hostname' | 'tlsReporting'>): boolean {
  const { address, dkim } = reporterOf(config)
  return dkim === undefined || isBelow(address, dkim.domain)
}

/** Whether an address is at the domain or at one below it. */
const isBelow = (address: string, domain: string): boolean =>
  `.${address.slice(address.lastIndexOf('@') + 1).toLowerCase()}`.endsWith(`.${domain}`)

/** `From` of summaries. */
export const summarySender = (
  config: Pick<Config, 'hostname' | 'tlsReporting'>,
  { from }: Pick<Summaries, 'from'>,
): string => from ?? reporterOf(config).address

export interface Config extends z.output<typeof Config> {}

/** Lists invalid settings, in one line. */
export class ConfigurationError extends Error {}

/** @throws ConfigurationError naming each invalid setting and why */
export function readConfig(settings: unknown): Config {
  const parsed = Config.safeParse(settings)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map(
    (issue) => `${['mailflow', ...issue.path].join('.')}: ${issue.message}`,
  )
  throw new ConfigurationError(`cdk.json context: ${issues.join('; ')}`)
}

/** Returns the environment variables that name the gateway's postmaster. */
export const postmasterEnvironment = ({ hostname, postmaster }: Config): Record<string, string> => ({
  MAIL_HOSTNAME: hostname,
  ...(postmaster !== undefined && { POSTMASTER_ADDRESS: postmaster }),
})

/** Sets the environment variable with the roles of people who sign in. */
export function setSignInEnvironment(
  { jwt }: Pick<Config, 'jwt'>,
  unit: { addEnvironment(name: string, value: string): unknown },
): void {
  if (jwt === undefined) return
  const roles: RoleMapping = jwt.roles
  unit.addEnvironment('SIGN_IN_ROLES', JSON.stringify(roles))
}

/** Sets the environment variables on which decisions depend, in addition to the connectors. */
export function setDecisionEnvironment(
  config: Config,
  unit: { addEnvironment(name: string, value: string): unknown },
): void {
  const { defaultRoute, delayNotificationHours, tlsReportAddress } = config
  for (const [name, value] of Object.entries(postmasterEnvironment(config))) unit.addEnvironment(name, value)
  unit.addEnvironment('DEFAULT_ROUTE', defaultRoute)
  unit.addEnvironment('DELAY_NOTIFICATION_HOURS', String(delayNotificationHours))
  if (tlsReportAddress !== undefined) unit.addEnvironment('TLS_REPORT_ADDRESS', tlsReportAddress)
}

/**
 * Days before today in which the table of events has files. Events that were recorded late are stored for as long as the
 * others, and so are in the table for longer.
 */
export const eventTableDays = ({ eventRetentionDays }: Pick<Config, 'eventRetentionDays'>): number =>
  eventRetentionDays + queueRetentionDays

/** Concurrent invocations of deliver-message for all its queues. */
export const deliveryConcurrency = ({ functions: { deliver } }: Pick<Config, 'functions'>): number =>
  deliver.concurrency + deliver.unprovenConcurrency + deliver.lowPriorityConcurrency

/** Limits of send-canary. It ends by itself after 25 seconds, before the next canary is sent. */
export const canaryLimits = { timeoutSeconds: 30, concurrency: 1 }

/** Limits of send-summary. The timeout is less than the lease of a claim on a summary. */
export const summaryLimits = { timeoutSeconds: 120, concurrency: 1 }

/** Whether deliveries leave from the VPC, and so whether the stack's own VPC has NAT gateways. */
export function deliversInVpc(config: Config): boolean {
  return config.defaultRoute === 'Mx' || config.deliverInVpc
}

/** How to protect the tables and the load balancer. */
export const deletionProtectionAdvice =
  'off: after the first successful deployment, set mailflow.deletionProtection to true and deploy again'

/** Whether the settings name a receiver of alarms. */
export const notifiesAdministrators = ({ alarmEmail, alarmsTopicArn }: Config): boolean =>
  alarmEmail !== undefined || alarmsTopicArn !== undefined

/** Returns the settings that still have the example values of cdk.json. A stack with these values does not work. */
export function exampleSettings(config: Config): string[] {
  const examples = {
    hostname: config.hostname.endsWith('.example.com'),
    tlsSecretArn: config.tlsSecretArn?.includes(':123456789012:') ?? false,
  }
  return Object.entries(examples).flatMap(([name, isExample]) => (isExample ? [name] : []))
}
