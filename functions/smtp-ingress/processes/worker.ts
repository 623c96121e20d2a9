/** One of several processes that take mail, as its supervisor knows it. */
import cluster from 'node:cluster'
import type { z } from 'zod'
import type { IngressEnvironment } from '../../../shared/contract/environment.ts'
import type { Ingress } from '../ingress.ts'
import { AdmissionBySupervisor } from './admission-by-supervisor.ts'
import { takeMail } from './mail-process.ts'
import { type FromSupervisor, type FromWorker, Outbox, type SendList } from './messages.ts'
import type { Oversight, Watched } from './oversight.ts'
import { CountsBySupervisor } from './rates-by-supervisor.ts'

/** Milliseconds that a client of a hundred waits longer for its greeting, for a third less work a connection. */
const gatherMs = 10

/** The supervisor asks how it fares, and answers the load balancer. */
class OversightBySupervisor implements Oversight {
  readonly #outbox: Outbox<FromWorker>
  readonly #healthPort: number
  #watched: Watched | undefined

  constructor(outbox: Outbox<FromWorker>, healthPort: number) {
    this.#outbox = outbox
    this.#healthPort = healthPort
  }

  async begin(watched: Watched): Promise<number> {
    this.#watched = watched
    this.#outbox.tell({ kind: 'Listening', smtpPort: watched.smtpPort })
    return this.#healthPort
  }

  report(request: number | null): void {
    if (this.#watched === undefined) return
    const { fault, connections, metrics } = this.#watched
    this.#outbox.tell({
      kind: 'Report',
      request,
      fault: fault(),
      connections: connections(),
      counts: metrics.take(),
    })
  }

  end(): Promise<void> {
    this.report(null)
    return this.#outbox.flush()
  }
}

/** Takes mail until the supervisor says that it ends, or has gone; ends at once when it cannot, and only tells it why. */
export async function work(
  environment: z.output<typeof IngressEnvironment>,
  write: (line: string) => void,
): Promise<Ingress> {
  const send: SendList<FromWorker> = (messages, done) => {
    // Without a callback for its errors, a channel that has closed would be a fault of this process.
    process.send?.(messages, undefined, undefined, done)
  }
  const outbox = new Outbox(send, gatherMs)
  const admission = new AdmissionBySupervisor((message) => outbox.tell(message))
  const oversight = new OversightBySupervisor(outbox, environment.HEALTH_PORT)
  // While a count waits for company, more messages than may are taken.
  const counts = new Outbox(send)
  const addressCounts = new CountsBySupervisor((message) => counts.tell(message))
  const ingress = takeMail({ environment, write, admission, oversight, addressCounts })
  const end = () => void ingress.then((started) => started.drain()).finally(() => process.exit(0))
  process.on('message', (messages: readonly FromSupervisor[]) => {
    for (const message of messages)
      if (message.kind === 'Admitted') admission.answered(message)
      else if (message.kind === 'OthersTook') addressCounts.answered(message)
      else if (message.kind === 'ReportNow') oversight.report(message.request)
      else end()
  })
  cluster.worker?.once('disconnect', () => {
    // Node.js ends a worker without its primary at once, unless it left by itself.
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
    admission.abandoned()
    addressCounts.abandoned()
    end()
  })
  try {
    return await ingress
  } catch (error) {
    outbox.tell({ kind: 'Unable', cause: error instanceof Error ? error.message : String(error) })
    await outbox.flush()
    process.exit(1)
  }
}
