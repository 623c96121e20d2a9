/** The parts put together: what listens, and how it stops. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { S3Client } from '@aws-sdk/client-s3'
import { objectsBySdk } from '../../shared/content/segment.ts'
import { NoticeQueue } from '../../shared/queues/notice-queue.ts'
import type { Admission } from './admission.ts'
import { CertificateWatch } from './certificate-watch.ts'
import { type Snapshots, WatchedConnectors } from './connectors.ts'
import { Intake, type IntakeOptions } from './intake.ts'
import { logTo } from './log.ts'
import { messageMemory } from './memory.ts'
import { Metrics } from './metrics.ts'
import { type Oversight, OwnOversight } from './oversight.ts'
import type { Rates } from './rates.ts'
import { createMailServer, type ServerParts } from './server.ts'
import { openSpool } from './spool.ts'

export interface IngressParts extends Pick<ServerParts, 'environment'> {
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
  const certificates = new CertificateWatch(new NoticeQueue(parts.notices), metrics, log)
  const mail = createMailServer({ environment, connectors, intake, certificates, metrics, log, now })
  let draining: Promise<void> | null = null
  const drain = async () => {
    log('info', 'draining', { connections: mail.connections.size })
    await mail.drain()
    intake.stop()
    connectors.stop()
    await oversight.end()
  }
  const fault = () => {
    if (draining !== null) return 'draining'
    if (intake.isFailing) return 'storage is failing'
    return connectors.areFailing ? 'connectors cannot be read' : null
  }
  mail.listen(environment.SMTP_PORT, environment.LISTEN_ADDRESS)
  await once(mail.server, 'listening')
  const { port: smtpPort } = mail.server.address() as AddressInfo
  const connections = () => mail.connections.size
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
