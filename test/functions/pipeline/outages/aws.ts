/** Requests to AWS during outages. */
import type { Clock } from './clock.ts'
import { type Outage, type OutageKind, outageAt, type Target } from './schedule.ts'

/** A client of AWS: milliseconds without a response before a try ends, and the number of tries. */
export interface Client {
  timeoutMs: number
  tries: number
}

/** shared/lambda/aws-clients.ts: the SDK makes three tries. */
export const functionClient: Client = { timeoutMs: 8_000, tries: 3 }
/** shared/lambda/job-source.ts: three seconds with all tries. */
export const visibilityClient: Client = { timeoutMs: 3_000, tries: 1 }
/** functions/deliver-message/stores.ts: the reservations for Amazon SES, two seconds with all tries. */
export const reservationClient: Client = { timeoutMs: 2_000, tries: 1 }
/** functions/smtp-ingress/intake/aws-clients.ts and ingress-on-aws.ts */
export const ingressClients = {
  puts: { timeoutMs: 6_000, tries: 3 },
  queues: { timeoutMs: 4_000, tries: 3 },
  connectors: { timeoutMs: 2_500, tries: 3 },
} as const

const latencyMs: Record<Target, number> = {
  connectors: 10,
  messages: 10,
  puts: 40,
  gets: 30,
  queues: 20,
  ses: 100,
}
/** An error arrives after this time, with the wait before the next try. */
const errorMs = 50

export class RequestError extends Error {
  constructor(target: Target, kind: OutageKind) {
    super(`${target}: ${kind}`)
    this.name = kind === 'refuses' ? 'ServiceUnavailable' : 'TimeoutError'
  }
}

export class Aws {
  readonly #clock: Clock
  readonly #outages: readonly Outage[]

  constructor(clock: Clock, outages: readonly Outage[]) {
    this.#clock = clock
    this.#outages = outages
  }

  outage(target: Target): OutageKind | null {
    return outageAt(this.#outages, target, this.#clock.now)
  }

  /**
   * @param execute the effect of the request
   * @param isSent whether the caller still runs; a dead caller makes no further try
   * @throws RequestError of the last try; the error of `execute`
   */
  async request<T>(
    target: Target,
    { timeoutMs, tries }: Client,
    execute: () => T,
    isSent: () => boolean = () => true,
  ): Promise<T> {
    let kind: OutageKind | null = null
    for (let count = 0; count < tries; count++) {
      if (!isSent()) return new Promise(() => {})
      kind = this.outage(target)
      if (kind === null) {
        await this.#clock.sleep(latencyMs[target])
        return execute()
      }
      if (kind === 'answers late') ignoreError(execute)
      await this.#clock.sleep(kind === 'refuses' ? errorMs : timeoutMs)
    }
    throw new RequestError(target, kind as OutageKind)
  }
}

/** The caller of a late request learns nothing of a condition that failed. */
function ignoreError(execute: () => unknown): void {
  try {
    execute()
  } catch {}
}
