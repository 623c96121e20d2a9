/**
 * The ingress, as one process: a message is accepted only after its content and its job are stored
 * (functions/smtp-ingress/intake/). During an outage it refuses clients at the greeting, and probes.
 */
import { storeMessages } from '../../../../functions/smtp-ingress/intake/store-messages.ts'
import type { EvaluationJob } from '../../../../shared/contract/jobs.ts'
import type { OutgoingJob } from '../../../../shared/queues/job-queue.ts'
import { type Aws, ingressClients } from './aws.ts'
import type { Clock } from './clock.ts'

export interface IngressOptions {
  clock: Clock
  aws: Aws
  /** Stores a job on the evaluation queue. */
  enqueue(job: EvaluationJob): void
}

const contentOctets = Buffer.from('Subject: to be carried through\r\n\r\n')
/** functions/smtp-ingress/session-policy/watched-connectors.ts */
const maxSnapshotAgeMs = 1_000

export class SimulatedIngress {
  readonly #options: IngressOptions
  readonly #storage: Breaker
  readonly #connectors: Breaker
  #connectorsReadAt = Number.NEGATIVE_INFINITY
  #pendingRead: Promise<boolean> | null = null

  constructor(options: IngressOptions) {
    this.#options = options
    const { aws, clock } = options
    this.#storage = new Breaker(clock, async () => {
      await aws.request('puts', ingressClients.puts, () => undefined)
      await aws.request('queues', ingressClients.queues, () => undefined)
    })
    this.#connectors = new Breaker(clock, () =>
      aws.request('connectors', ingressClients.connectors, () => undefined),
    )
  }

  /** Whether clients are refused at the greeting. */
  get isRefusing(): boolean {
    return this.#connectors.isOpen || this.#storage.isOpen
  }

  /** @returns whether the client gets 250 */
  async receive({ message, recipients }: EvaluationJob): Promise<boolean> {
    // A client that waits for connectors when the breaker opens is refused at MAIL.
    if (!(await this.#readConnectors()) || this.#storage.isOpen) return false
    try {
      const [failure] = await storeMessages(
        {
          segments: { write: async (contents) => this.#putSegment(contents, message.content) },
          queue: { trySend: (outgoing) => this.#trySend(outgoing) },
        },
        [{ message, recipients, content: contentOctets }],
      )
      if (failure) throw failure
      this.#storage.recordSuccess()
      return true
    } catch (error) {
      this.#storage.recordFailure(error as Error)
      return false
    }
  }

  /** @returns whether they can be read; clients that wait share one read */
  #readConnectors(): Promise<boolean> | boolean {
    const { clock, aws } = this.#options
    if (clock.now - this.#connectorsReadAt < maxSnapshotAgeMs) return true
    const readAt = clock.now
    this.#pendingRead ??= aws
      .request('connectors', ingressClients.connectors, () => undefined)
      .then(
        () => {
          this.#connectorsReadAt = readAt
          this.#connectors.recordSuccess()
          return true
        },
        (error: Error) => {
          this.#connectors.recordFailure(error)
          return false
        },
      )
      .finally(() => {
        this.#pendingRead = null
      })
    return this.#pendingRead
  }

  async #putSegment<T>(contents: readonly Buffer[], reference: T): Promise<T[]> {
    await this.#options.aws.request('puts', ingressClients.puts, () => undefined)
    return contents.map(() => reference)
  }

  async #trySend(outgoing: readonly OutgoingJob<EvaluationJob>[]): Promise<(Error | null)[]> {
    const { aws, enqueue } = this.#options
    const send = () => {
      for (const { job } of outgoing) enqueue(job)
    }
    const failure = await aws.request('queues', ingressClients.queues, send).then(
      () => null,
      (error: Error) => error,
    )
    return outgoing.map(() => failure)
  }
}

/** As functions/smtp-ingress/circuit-breaker.ts, in simulated time. */
class Breaker {
  isOpen = false
  readonly #clock: Clock
  readonly #probe: () => Promise<void>
  #failures = 0
  #delayMs = 1_000

  constructor(clock: Clock, probe: () => Promise<void>) {
    this.#clock = clock
    this.#probe = probe
  }

  recordSuccess(): void {
    this.#failures = 0
    this.#delayMs = 1_000
  }

  recordFailure({ name }: Error): void {
    this.#failures += name === 'TimeoutError' ? 3 : 1
    if (this.#failures < 3 || this.isOpen) return
    this.isOpen = true
    void this.#probeUntilClosed()
  }

  async #probeUntilClosed(): Promise<void> {
    while (this.isOpen) {
      await this.#clock.sleep(this.#delayMs)
      this.#delayMs = Math.min(this.#delayMs * 2, 30_000)
      await this.#probe().then(
        () => {
          this.isOpen = false
        },
        () => {},
      )
    }
  }
}
