/** Who looks after a process that takes mail: the load balancer and the log, or a supervisor that speaks to both. */
import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { Metric } from '../../../shared/contract/metrics.ts'
import { logTo } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { healthServer } from './health.ts'

export interface Watched {
  smtpPort: number
  metrics: Metrics
  /** Why no new connections should come, or null. */
  fault(): string | null
  connections(): number
}

export interface Oversight {
  /**
   * The process listens for mail.
   * @returns the port at which the load balancer asks for its health
   * @throws Error when that port cannot be listened on
   */
  begin(watched: Watched): Promise<number>
  /** The process is about to end: what it counted is passed on. */
  end(): Promise<void>
}

export interface OversightOptions {
  address: string
  healthPort: number
  /** Takes a line of log or metrics, with its end of line. */
  write(line: string): void
  now(): Date
}

export const metricsEveryMs = 10_000

/** Of a process on its own. */
export class OwnOversight implements Oversight {
  readonly #options: OversightOptions
  #timer: NodeJS.Timeout | undefined
  #health: HttpServer | undefined
  #flush = () => {}

  constructor(options: OversightOptions) {
    this.#options = options
  }

  async begin({ smtpPort, metrics, fault, connections }: Watched): Promise<number> {
    const { address, healthPort: port, write, now } = this.#options
    const health = healthServer(fault)
    this.#health = health
    const healthPort = await listen(health, port, address)
    this.#flush = () => metrics.flush({ [Metric.connections]: connections() }, now().getTime()).forEach(write)
    this.#timer = setInterval(this.#flush, metricsEveryMs)
    logTo(write, now)('info', 'listening', { smtpPort, healthPort })
    return healthPort
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    this.#health?.close()
    this.#health?.closeAllConnections()
    this.#flush()
  }
}

/** @returns the port @throws Error when it cannot be listened on */
export async function listen(server: Server, port: number, address: string): Promise<number> {
  server.listen(port, address)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
