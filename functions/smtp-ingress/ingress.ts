/** The parts put together: what listens, and how it stops. */
import type { S3Client } from '@aws-sdk/client-s3'
import type { z } from 'zod'
import { objectsBySdk } from '../../shared/content/segment.ts'
import type { IngressEnvironment } from '../../shared/contract/environment.ts'
import { NoticeQueue } from '../../shared/queues/notice-queue.ts'
import { MailServer } from './connection/mail-server.ts'
import { trustedProxies } from './connection/proxy.ts'
import { CertificateWatch } from './dialogue/certificate-watch.ts'
import { type Snapshots, WatchedConnectors } from './dialogue/connectors.ts'
import { type DialogueParts, SessionDialogue } from './dialogue/dialogue.ts'
import { Intake, type IntakeOptions } from './intake/intake.ts'
import { messageMemory } from './intake/memory.ts'
import { openSpool } from './intake/spool.ts'
import { type Admission, admissionLimits, SessionCounts } from './limits/admission.ts'
import type { Rates } from './limits/rates.ts'
import { logTo } from './log.ts'
import { Metrics } from './metrics.ts'
import { type Oversight, OwnOversight } from './processes/oversight.ts'
import type { SessionOptions } from './protocol/session.ts'
import { watchCertificateExpiry } from './tls/certificate-expiry.ts'
import { type CertificatesOptions, OurCertificates } from './tls/certificates.ts'
import { createTlsService } from './tls/service.ts'

export interface IngressParts {
  environment: z.output<typeof IngressEnvironment>
  snapshots: Snapshots
  s3: Pick<S3Client, 'send'>
  /** Where segments go; without it, by the SDK's client. */
  objects?: IntakeOptions['objects']
  queue: IntakeOptions['queue']
  probeQueue: IntakeOptions['probeQueue']
  /** The same queue, for notices of what was refused. */
  notices: ConstructorParameters<typeof NoticeQueue>[0]
  /** Takes a line of log or metrics, with its end of line. */
  write(line: string): void
  now?(): Date
  /** Reads the secret with our certificates; left out, the environment has them. */
  readCertificates?(): Promise<string>
  /** Left out, nobody is asked whether a client's certificate was revoked. */
  revocation?: DialogueParts['revocation']
  /** Left out, nothing limits how many messages come in a minute. */
  rates?: Rates
  /** Left out, this process counts its own sessions. */
  admission?: Admission
  /** Left out, this process answers for its health, and writes its metrics. */
  oversight?: Oversight
}

export interface Ingress {
  smtpPort: number
  healthPort: number
  /** Takes no more connections and resolves when every session has ended, or at the end of DRAIN_SECONDS. */
  drain(): Promise<void>
}

/** @throws Error when a port cannot be listened on, or the certificate and its key or the memory are of no use */
export async function startIngress(parts: IngressParts): Promise<Ingress> {
  const { environment, write, now = () => new Date() } = parts
  const log = logTo(write, now)
  const { LISTEN_ADDRESS: address, HEALTH_PORT: port } = environment
  const oversight = parts.oversight ?? new OwnOversight({ address, healthPort: port, write, now })
  const metrics = new Metrics()
  const ours = await ourCertificates(parts, { metrics, log, now })
  const tls = createTlsService({ ...ours.served, now })
  const intake = new Intake({
    s3: parts.s3,
    objects: parts.objects ?? objectsBySdk(parts.s3, environment.CONTENT_BUCKET),
    queue: parts.queue,
    probeQueue: parts.probeQueue,
    bucket: environment.CONTENT_BUCKET,
    maximumSize: environment.MAX_MESSAGE_SIZE,
    maximumHeaderSize: environment.MAX_HEADER_SIZE,
    memory: messageMemory(environment.MEMORY_MIB, environment.MAX_CONNECTIONS, environment.WORKERS),
    spool: await openSpool(environment),
    log,
  })
  const connectors = new WatchedConnectors(parts.snapshots, log)
  const unknownCertificates = new CertificateWatch(new NoticeQueue(parts.notices), metrics, log)
  const rates = parts.rates ?? unlimited
  const dialogueParts = {
    environment,
    connectors,
    intake,
    certificates: unknownCertificates,
    rates,
    ...(parts.revocation && { revocation: parts.revocation }),
    tls,
    metrics,
    log,
    now,
  }
  const mail = new MailServer({
    options: sessionOptions(environment),
    tls,
    admission: parts.admission ?? new SessionCounts(admissionLimits(environment)),
    isProxy: trustedProxies(environment.PROXY_TRUSTED_ADDRESSES),
    dialogueWith: (peer) => new SessionDialogue(dialogueParts, peer),
    log,
    drainMs: environment.DRAIN_SECONDS * 1000,
    maximumConnections: 2 * environment.MAX_CONNECTIONS + 100,
  })
  let draining: Promise<void> | null = null
  const drain = async () => {
    log('info', 'draining', { connections: mail.size })
    await mail.drain()
    intake.stop()
    connectors.stop()
    rates.stop()
    ours.stop()
    tls.stop()
    endExpiryWatch()
    await oversight.end()
  }
  const fault = () => {
    if (draining !== null) return 'draining'
    if (intake.isFailing) return 'storage is failing'
    return connectors.areFailing ? 'connectors cannot be read' : null
  }
  const endExpiryWatch = watchCertificateExpiry({ expires: () => tls.expires, write, now })
  ours.begin(tls)
  const smtpPort = await mail.listen(environment.SMTP_PORT, environment.LISTEN_ADDRESS)
  const connections = () => mail.size
  const healthPort = await oversight.begin({ smtpPort, metrics, fault, connections })
  return {
    smtpPort,
    healthPort,
    drain() {
      draining ??= drain()
      return draining
    },
  }
}

/** Those of the secret, or of the environment, which stay. @throws Error when there are none that could be served */
async function ourCertificates(
  { environment, readCertificates }: IngressParts,
  tools: Pick<CertificatesOptions, 'metrics' | 'log' | 'now'>,
): Promise<Pick<OurCertificates, 'served' | 'begin' | 'stop'>> {
  const { MAIL_HOSTNAME: hostname, TLS_CERTIFICATE: certificate, TLS_PRIVATE_KEY: privateKey } = environment
  if (certificate !== undefined && privateKey !== undefined)
    return { served: { certificate, privateKey }, begin() {}, stop() {} }
  if (readCertificates === undefined) throw new Error('nothing reads the certificates of TLS_SECRET_ARN')
  const everyMs = environment.TLS_SECRET_SECONDS * 1000
  return OurCertificates.open({ ...tools, read: readCertificates, hostname, everyMs })
}

const unlimited: Rates = { refuse: () => null, stop() {} }

/** RFC 5321 has no number; a connection that is kept warm between messages needs few. */
const maximumIdleCommands = 100

function sessionOptions(environment: z.output<typeof IngressEnvironment>): SessionOptions {
  return {
    hostname: environment.MAIL_HOSTNAME,
    maximumSize: environment.MAX_MESSAGE_SIZE,
    maximumRecipients: environment.MAX_RECIPIENTS,
    maximumErrors: environment.MAX_ERRORS,
    maximumIdleCommands,
    maximumLine: environment.MAX_LINE_LENGTH,
    unlawfulOctets: environment.UNLAWFUL_OCTETS,
  }
}
