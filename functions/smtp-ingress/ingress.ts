/** Assembles the ingress: starts its listeners and stops them. */
import type { S3Client } from '@aws-sdk/client-s3'
import type * as z from 'zod'
import { sdkObjectStore } from '../../shared/content/segment-writer.ts'
import { type IngressEnvironment, postmasterSettings } from '../../shared/contract/environment.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import type { EventQueue } from '../../shared/events/event-queue.ts'
import { NoticeQueue } from '../../shared/queues/notice-queue.ts'
import { listen } from './connection/listen.ts'
import { MailServer } from './connection/mail-server.ts'
import { trustedProxyMatcher } from './connection/proxy-protocol.ts'
import { createHealthServer } from './health-server.ts'
import { Intake, type IntakeOptions } from './intake/intake.ts'
import { messageMemory } from './intake/message-memory.ts'
import { openSpool } from './intake/spool.ts'
import { ConnectionLimiter, connectionLimits } from './limits/connection-limiter.ts'
import { HandshakeCosts } from './limits/handshake-costs.ts'
import { KnownSenders } from './limits/known-senders.ts'
import type { MessageRateLimiter } from './limits/message-rate-limiter.ts'
import { UnknownRecipientLimiter } from './limits/unknown-recipient-limiter.ts'
import { createLog, type Log } from './log.ts'
import { Metrics, startMetricsWriter } from './metrics.ts'
import type { SessionOptions } from './protocol/session.ts'
import { type CalloutInvoker, Callouts } from './recipients/callouts.ts'
import { ListCache, type ListSource } from './recipients/list-cache.ts'
import { RecipientChecker } from './recipients/recipient-checker.ts'
import { RejectionReporter } from './rejections/rejection-reporter.ts'
import { ConnectorSessionPolicy, type SessionPolicyParts } from './session-policy/connector-session-policy.ts'
import { LastCanary } from './session-policy/last-canary.ts'
import { SignatureVerifier, type SignatureVerifierOptions } from './session-policy/signature-verifier.ts'
import { UnknownCertificateNotifier } from './session-policy/unknown-certificate-notifier.ts'
import { type SnapshotSource, WatchedConnectors } from './session-policy/watched-connectors.ts'
import { publishDaysLeft } from './tls/certificate-days-left.ts'
import { ServedCertificates, type ServedCertificatesOptions } from './tls/served-certificates.ts'
import { createTlsService, type TlsService } from './tls/tls-service.ts'

export interface IngressParts {
  environment: z.output<typeof IngressEnvironment>
  snapshots: SnapshotSource
  s3: Pick<S3Client, 'send'>
  /** Stores segments. Default: the SDK, with `s3`. */
  objects?: IntakeOptions['objects']
  queue: IntakeOptions['queue']
  probeQueue: IntakeOptions['probeQueue']
  /** Sends notices of unknown client certificates, also to the evaluation queue. */
  notices: ConstructorParameters<typeof NoticeQueue>[0]
  /** Takes the events of rejections. */
  events: Pick<EventQueue, 'send'>
  /** Takes a line of log or metrics, with its line end. */
  write(line: string): void
  now?(): Date
  /** Reads the secret with the ingress's certificates. If absent, the certificates come from the environment. */
  readCertificates?(): Promise<string>
  /** Returns the id of the last canary that was sent. If absent, no message is a canary. */
  readLastCanary?(): Promise<string | null>
  /** If absent, the revocation of client certificates is not checked. */
  revocation?: SessionPolicyParts['revocation']
  /** Verifies DKIM signatures (`SignatureVerifierOptions`). If absent, no message has a signature. */
  verifySignatures?: SignatureVerifierOptions['verify']
  /** If absent, message rates are not limited. */
  rates?: MessageRateLimiter
  /** If absent, no recipient is checked. */
  recipients?: RecipientSources
}

export interface RecipientSources {
  lists: ListSource
  invokeCallout: CalloutInvoker
}

export interface Ingress {
  smtpPort: number
  healthPort: number
  /** Refuses new connections. Resolves when every session has ended, at the latest after DRAIN_SECONDS. */
  drain(): Promise<void>
}

/** @throws Error when a port cannot be opened, certificate, key or spool cannot be used, or memory is too small */
export async function startIngress(parts: IngressParts): Promise<Ingress> {
  const { environment, write, now = () => new Date(), rates = unlimitedRates } = parts
  const { SMTP_PORT, HEALTH_PORT, LISTEN_ADDRESS } = environment
  const log = createLog(write, now)
  const metrics = new Metrics()
  const certificates = await openCertificates(parts, { metrics, log, now })
  const tls = createTlsService({ ...certificates.served, now })
  const intake = await openIntake(parts, log)
  const connectors = new WatchedConnectors(parts.snapshots, log)
  const rejections = new RejectionReporter(parts.events, log)
  const mail = createMailServer({
    environment,
    connectors,
    intake,
    certificateNotifier: new UnknownCertificateNotifier(new NoticeQueue(parts.notices), metrics, log),
    rates,
    signatures: new SignatureVerifier({ verify: parts.verifySignatures ?? noSignatures }),
    handshakeCosts: new HandshakeCosts(),
    ...(parts.recipients && {
      recipients: createRecipientChecker(parts.recipients, { environment, metrics, log }),
    }),
    ...(parts.revocation && { revocation: parts.revocation }),
    ...(parts.readLastCanary && { lastCanary: new LastCanary(parts.readLastCanary) }),
    tls,
    metrics,
    rejections,
    log,
    now,
  })
  let draining: Promise<void> | null = null
  const health = createHealthServer(() =>
    draining === null ? unhealthyReason(intake, connectors) : 'draining',
  )
  const stopDaysLeftMetric = publishDaysLeft({ expiresAt: () => tls.expiresAt, write, now })
  certificates.begin(tls)
  const smtpPort = await mail.listen(SMTP_PORT, LISTEN_ADDRESS)
  const healthPort = await listen(health, HEALTH_PORT, LISTEN_ADDRESS)
  const gauges = () => ({ [Metric.connections]: mail.size })
  const stopMetrics = startMetricsWriter({ metrics, gauges, write, now })
  log('info', 'listening', { smtpPort, healthPort })
  const drain = async () => {
    log('info', 'draining', { connections: mail.size })
    await mail.drain()
    await rejections.stop()
    for (const part of [intake, connectors, rates, certificates]) part.stop()
    stopDaysLeftMetric()
    health.close()
    health.closeAllConnections()
    stopMetrics()
  }
  return {
    smtpPort,
    healthPort,
    drain() {
      draining ??= drain()
      return draining
    },
  }
}

async function openIntake(parts: IngressParts, log: Log): Promise<Intake> {
  const { environment } = parts
  return new Intake({
    s3: parts.s3,
    objects: parts.objects ?? sdkObjectStore(parts.s3, environment.CONTENT_BUCKET),
    queue: parts.queue,
    probeQueue: parts.probeQueue,
    bucket: environment.CONTENT_BUCKET,
    hostname: environment.MAIL_HOSTNAME,
    maxMessageOctets: environment.MAX_MESSAGE_SIZE,
    maxHeaderOctets: environment.MAX_HEADER_SIZE,
    memory: messageMemory(environment.MEMORY_MIB, environment.MAX_CONNECTIONS),
    spool: await openSpool(environment),
    log,
  })
}

function createMailServer(
  parts: SessionPolicyParts & { tls: TlsService; handshakeCosts: HandshakeCosts },
): MailServer {
  const { environment, tls, log } = parts
  return new MailServer({
    sessionOptions: sessionOptions(environment),
    tls,
    connectionLimiter: new ConnectionLimiter(connectionLimits(environment)),
    handshakeCosts: parts.handshakeCosts,
    knownSenders: new KnownSenders(),
    isTrustedProxy: trustedProxyMatcher(environment.PROXY_TRUSTED_ADDRESSES),
    createSessionPolicy: (peer) => new ConnectorSessionPolicy(parts, peer),
    log,
    drainTimeoutMs: environment.DRAIN_SECONDS * 1000,
    maxConnections: 2 * environment.MAX_CONNECTIONS + 100,
  })
}

function createRecipientChecker(
  { lists, invokeCallout }: RecipientSources,
  { environment, metrics, log }: Pick<SessionPolicyParts, 'environment' | 'metrics' | 'log'>,
): RecipientChecker {
  return new RecipientChecker({
    lists: new ListCache(lists, log),
    callouts: new Callouts(invokeCallout, log),
    unknownRecipients: new UnknownRecipientLimiter(),
    metrics,
    settings: {
      postmaster: postmasterSettings(environment),
      tlsReportAddress: environment.TLS_REPORT_ADDRESS,
    },
  })
}

/** @returns the reason why the load balancer should send no new connections, or null */
function unhealthyReason(intake: Intake, connectors: WatchedConnectors): string | null {
  if (intake.isFailing) return 'storage is failing'
  return connectors.areFailing ? 'connectors cannot be read' : null
}

/**
 * Uses the certificates of the environment, which do not change while the process runs. If there are none, uses those
 * of the secret.
 * @throws Error when the secret cannot be read, or nothing in it can be served
 */
async function openCertificates(
  { environment, readCertificates }: IngressParts,
  dependencies: Pick<ServedCertificatesOptions, 'metrics' | 'log' | 'now'>,
): Promise<Pick<ServedCertificates, 'served' | 'begin' | 'stop'>> {
  const { MAIL_HOSTNAME: hostname, TLS_CERTIFICATE: certificate, TLS_PRIVATE_KEY: privateKey } = environment
  if (certificate !== undefined && privateKey !== undefined)
    return { served: { certificate, privateKey }, begin() {}, stop() {} }
  if (readCertificates === undefined)
    throw new Error('TLS_SECRET_ARN is set, but there is no reader for the secret')
  const readIntervalMs = environment.TLS_SECRET_SECONDS * 1000
  return ServedCertificates.open({ ...dependencies, read: readCertificates, hostname, readIntervalMs })
}

const noSignatures = async () => ({ domains: [], isTemporary: false })

const unlimitedRates: MessageRateLimiter = { countMessage: () => null, stop() {} }

/**
 * Maximum of RSET, NOOP, VRFY, HELP, HELO and EHLO since the last accepted message (RFC 5321 sets no limit). A
 * connection that stays open between messages needs few.
 */
const maxIdleCommands = 100

function sessionOptions(environment: z.output<typeof IngressEnvironment>): SessionOptions {
  return {
    hostname: environment.MAIL_HOSTNAME,
    maxMessageOctets: environment.MAX_MESSAGE_SIZE,
    maxRecipients: environment.MAX_RECIPIENTS,
    maxErrors: environment.MAX_ERRORS,
    maxIdleCommands,
    maxLineOctets: environment.MAX_LINE_LENGTH,
    bareNewlines: environment.BARE_NEWLINES,
    envelopeSyntax: environment.ENVELOPE_SYNTAX,
  }
}
