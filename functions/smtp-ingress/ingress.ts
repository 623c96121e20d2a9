/** The parts put together: what listens, and how it stops. */
import { once } from 'node:events'
import type { Server } from 'node:net'
import type { S3Client } from '@aws-sdk/client-s3'
import { Metric } from '../../shared/contract/metrics.ts'
import { NoticeQueue } from '../../shared/queues/notice-queue.ts'
import { CertificateWatch } from './certificate-watch.ts'
import { type Snapshots, WatchedConnectors } from './connectors.ts'
import { healthServer } from './health.ts'
import { Intake, type IntakeOptions } from './intake.ts'
import { logTo } from './log.ts'
import { messageMemory } from './memory.ts'
import { Metrics } from './metrics.ts'
import { createMailServer, type ServerParts } from './server.ts'

export interface IngressParts extends Pick<ServerParts, 'environment'> {
  snapshots: Snapshots
  s3: Pick<S3Client, 'send'>
  queue: IntakeOptions['queue']
  probeQueue: IntakeOptions['probeQueue']
  /** The same queue, for notices of what was refused. */
  notices: ConstructorParameters<typeof NoticeQueue>[0]
  /** Takes a line of log or metrics, with its end of line. */
  write(line: string): void
  now?(): Date
}

export interface Ingress {
  smtpPort: number
  healthPort: number
  /** Takes no more connections and resolves when every session has ended, or at the end of DRAIN_SECONDS. */
  drain(): Promise<void>
}

const metricsEveryMs = 10_000

/** @throws Error when a port cannot be listened on, or the certificate and its key or the memory are of no use */
export async function startIngress(parts: IngressParts): Promise<Ingress> {
  const { environment, write, now = () => new Date() } = parts
  const log = logTo(write, now)
  const metrics = new Metrics()
  const intake = new Intake({
    s3: parts.s3,
    queue: parts.queue,
    probeQueue: parts.probeQueue,
    bucket: environment.CONTENT_BUCKET,
    maximumSize: environment.MAX_MESSAGE_SIZE,
    memory: messageMemory(environment.MEMORY_MIB, environment.MAX_CONNECTIONS),
    log,
  })
  const connectors = new WatchedConnectors(parts.snapshots, log)
  const certificates = new CertificateWatch(new NoticeQueue(parts.notices), metrics, log)
  const mail = createMailServer({ environment, connectors, intake, certificates, metrics, log, now })
  let draining = false
  const health = healthServer(() => {
    if (draining) return 'draining'
    if (intake.isFailing) return 'storage is failing'
    return connectors.areFailing ? 'connectors cannot be read' : null
  })
  const smtpPort = await listen(mail, mail.server, environment.SMTP_PORT, environment.LISTEN_ADDRESS)
  const healthPort = await listen(health, health, environment.HEALTH_PORT, environment.LISTEN_ADDRESS)
  const flush = () =>
    metrics.flush({ [Metric.connections]: mail.connections.size }, now().getTime()).forEach(write)
  const timer = setInterval(flush, metricsEveryMs)
  log('info', 'listening', { smtpPort, healthPort })
  return {
    smtpPort,
    healthPort,
    async drain() {
      draining = true
      log('info', 'draining', { connections: mail.connections.size })
      await mail.drain()
      clearInterval(timer)
      intake.stop()
      connectors.stop()
      health.close()
      health.closeAllConnections()
      flush()
    },
  }
}

type Listening = { listen(port: number, host: string): unknown }

async function listen(what: Listening, server: Server, port: number, host: string): Promise<number> {
  what.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address ? address.port : port
}
