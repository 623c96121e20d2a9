/** The deployed functions on simulated AWS: three queues of deliveries, one each of evaluations, authentications, bounces. */
import { DeliveryPriorities } from '../../../../functions/evaluate-policy/delivery-priority.ts'
import type { DeliveryJob, EvaluationJob } from '../../../../shared/contract/jobs.ts'
import type { ContentReference, Message } from '../../../../shared/contract/message.ts'
import type { OutboundMessage, Outcomes } from '../../../../shared/net/smtp-delivery.ts'
import { DeliveryQueue } from '../../../../shared/queues/delivery-queue.ts'
import type { JobSender, OutgoingJob } from '../../../../shared/queues/job-queue.ts'
import { authenticated } from '../../../support/fixtures.ts'
import { timeoutMs, type Unit } from '../../../support/pipeline/queues.ts'
import { type Ports, runUnit } from '../../../support/pipeline/units.ts'
import type { Random } from '../random.ts'
import { type Aws, functionClient } from './aws.ts'
import type { Clock } from './clock.ts'
import { EventSource, type Invocation } from './event-source.ts'
import type { Ledger } from './ledger.ts'
import { connectors, isProven, outcomeOf, timeOf } from './mail.ts'
import { SimulatedQueue } from './simulated-queue.ts'
import { SimulatedSes } from './simulated-ses.ts'
import type { Tables } from './tables.ts'

/** The capacities of a deployment with default settings. All belong to a load of 100 messages per second. */
export interface DeploymentLimits {
  /** Invocations at the same time. */
  concurrency: Record<QueueName, number>
  batchSize: number
  /** For each queue. */
  inFlightQuota: number
  /** Recipients per second that Amazon SES takes. */
  sesRate: number
}

const queueNames = ['evaluate', 'authenticate', 'deliver', 'unproven', 'low', 'bounce'] as const
export type QueueName = (typeof queueNames)[number]

const unitOf = (name: QueueName): Exclude<Unit, 'retry' | 'release' | 'return' | 'drop'> =>
  name === 'unproven' || name === 'low' ? 'deliver' : name

/** The job that an invocation processes. */
interface Work {
  unit: Unit
  queue: QueueName
  /** Id of the mail message. */
  message: string
  invocation: Invocation
}

/** Milliseconds of an SMTP session with a recipient's server. */
const smtpMs = 1_000

export interface DeploymentOptions {
  clock: Clock
  aws: Aws
  random: Random
  tables: Tables
  ledger: Ledger
  limits: DeploymentLimits
  /** Milliseconds of one authentication. */
  authenticationMs: number
}

export class Deployment {
  readonly queues: Record<QueueName, SimulatedQueue>
  readonly #options: DeploymentOptions
  readonly #contents = new Map<string, Buffer>()
  readonly #priorities: DeliveryPriorities
  readonly #ses: SimulatedSes

  constructor(options: DeploymentOptions) {
    this.#options = options
    const entries = queueNames.map((name) => [name, this.#createQueue(name)] as const)
    this.queues = Object.fromEntries(entries) as Record<QueueName, SimulatedQueue>
    const { aws } = options
    this.#priorities = new DeliveryPriorities(
      {
        read: (domain) =>
          aws.request('messages', functionClient, () => (isProven(domain) ? 'Proven' : 'Unproven')),
      },
      () => {},
    )
    this.#ses = new SimulatedSes({ ...options, rate: options.limits.sesRate })
  }

  /** Puts a job on the evaluation queue. */
  enqueue(job: EvaluationJob): void {
    this.#put('evaluate', { job })
  }

  #put(name: QueueName, { job, delaySeconds = 0 }: OutgoingJob<{ message: { id: string } }>): void {
    this.#options.ledger.jobSent(job.message.id)
    this.queues[name].send({ body: JSON.stringify(job), message: job.message.id }, delaySeconds)
  }

  #createQueue(name: QueueName): SimulatedQueue {
    const { clock, ledger, limits } = this.#options
    const unit = unitOf(name)
    const queue = new SimulatedQueue(clock, {
      visibilityMs: 2 * timeoutMs[unit],
      inFlightQuota: limits.inFlightQuota,
      onVisible: () => source.wake(),
      onDeadLetter: ({ message }) => ledger.deadLetter(message),
    })
    const source = new EventSource({
      ...this.#options,
      queue,
      concurrency: limits.concurrency[name],
      batchSize: limits.batchSize,
      timeoutMs: timeoutMs[unit],
      beforeBatch: async (invocation) => this.#readVersion(unit, invocation),
      process: ({ body, message }, invocation, receives) =>
        runUnit(unit, body, this.#portsOf({ unit, queue: name, message, invocation }), receives),
      onDeleted: (message) => ledger.jobDeleted(message),
    })
    return queue
  }

  async #readVersion(unit: Unit, invocation: Invocation): Promise<void> {
    if (unit !== 'bounce' && unit !== 'authenticate')
      await this.#options.aws.request('connectors', functionClient, () => undefined, isAlive(invocation))
  }

  #portsOf(work: Work): Ports {
    const { aws, clock, tables } = this.#options
    const alive = isAlive(work.invocation)
    return {
      request: (command) => aws.request('messages', functionClient, () => tables.send(command), alive),
      send: (to, outgoing) => this.#send(work, to, outgoing),
      read: ({ key }) =>
        aws.request('gets', functionClient, () => this.#contents.get(key) ?? defaultContent, alive),
      store: (octets, { key }: ContentReference) =>
        aws.request('puts', functionClient, () => void this.#contents.set(key, octets), alive),
      authenticate: async () => {
        await clock.sleep(this.#options.authenticationMs)
        return alive() ? authenticated('none', 'elsewhere.example') : new Promise(() => {})
      },
      transmit: (mail, job) => this.#transmit(mail, job, work),
      reasonNotToRun: () => null,
      runWithSlot: (job, deliver) => {
        if (job.route.kind !== 'Ses') return deliver()
        clock.addRound()
        return this.#ses.slotsOf(workerOf(work)).slotFor(job).runWithSlot(deliver)
      },
      connectors: () => connectors,
      now: () => timeOf(clock.now),
      priorities: this.#priorities,
    }
  }

  #send(work: Work, to: Unit, outgoing: readonly OutgoingJob<unknown>[]): Promise<void> {
    const alive = isAlive(work.invocation)
    if (to === 'deliver') return this.#deliveryQueue(alive).send(outgoing as OutgoingJob<DeliveryJob>[])
    const beforePut = ({ message }: EvaluationJob) => {
      if (work.unit === 'bounce') this.#noteDsn(message, work.message)
    }
    return this.#sender(to === 'bounce' || to === 'authenticate' ? to : 'evaluate', alive, beforePut).send(
      outgoing as OutgoingJob<EvaluationJob>[],
    )
  }

  #noteDsn({ id, content }: Message, reported: string): void {
    const text = String(this.#contents.get(content.key))
    const [, kind] = /^Action: (failed|delayed|relayed)/m.exec(text) ?? []
    this.#options.ledger.dsnSent(id, reported, kind as 'failed')
  }

  #sender<Job extends { message: { id: string } }>(
    name: QueueName,
    alive: () => boolean,
    beforePut: (job: Job) => void = () => {},
  ): JobSender<Job> {
    return {
      send: (outgoing) =>
        this.#options.aws.request(
          'queues',
          functionClient,
          () => {
            for (const sent of outgoing) {
              beforePut(sent.job)
              this.#put(name, sent)
            }
          },
          alive,
        ),
    }
  }

  #deliveryQueue(alive: () => boolean): DeliveryQueue {
    return new DeliveryQueue({
      Normal: this.#sender('deliver', alive),
      Unproven: this.#sender('unproven', alive),
      Low: this.#sender('low', alive),
    })
  }

  async #transmit(
    mail: OutboundMessage,
    { message, route, attempt }: DeliveryJob,
    work: Work,
  ): Promise<Outcomes> {
    const { clock, ledger } = this.#options
    const alive = isAlive(work.invocation)
    if (message.source !== null && message.authentication?.dmarc?.result !== 'none')
      ledger.violations.push(`${message.id} is delivered without authentication results`)
    if (route.kind === 'Ses') return this.#ses.deliver(mail, message.id, workerOf(work), alive)
    await clock.sleep(smtpMs)
    if (!alive()) return new Promise(() => {})
    return new Map(
      mail.recipients.map(({ address }) => {
        const result = outcomeOf(address, attempt)
        if (result.outcome === 'Delivered') this.#options.ledger.delivered(message.id)
        return [address, result]
      }),
    )
  }
}

const workerOf = ({ queue, invocation }: Work): string => `${queue} ${invocation.worker}`

const isAlive = (invocation: Invocation) => (): boolean => invocation.isAlive

const defaultContent = Buffer.from('Subject: to be carried through\r\n\r\n')
