/**
 * Simulates a deployment under a load of mail, with outages of AWS. Time is simulated; the functions are the deployed
 * ones.
 *
 * Rate and capacities are scaled together: a run with a tenth of 100 messages per second has a tenth of the workers, of
 * the quota of messages in flight and of the rate of Amazon SES. To save time, one simulated message can stand for
 * several: then a run simulates that part of the rate and of the capacities, and the counts are multiplied.
 *
 * Not simulated: the slots of a destination, the limits of an event source while it starts, the priority that a fair
 * queue gives to small message groups, and the group commit of the ingress, whose messages share one request.
 */
import { createRandom, type Random } from '../random.ts'
import { Aws } from './aws.ts'
import { Clock } from './clock.ts'
import { Deployment, type DeploymentLimits } from './deployment.ts'
import { SimulatedIngress } from './ingress.ts'
import { type Counts, Ledger } from './ledger.ts'
import { evaluationJob, isAcceptedByMx, isFromOrganisation, senderBackoffMs } from './mail.ts'
import { endOf, marginMinutes, type Outage } from './schedule.ts'
import { Tables } from './tables.ts'

export interface Load {
  /** Messages per second. */
  rate: number
  /** Messages for which one simulated message stands. */
  scale: number
  /**
   * Simulated messages that arrive at the same time. A large burst at a low rate still meets the start and the end of an
   * outage, because bursts arrive a second before each multiple of their interval.
   */
  burst: number
  /** Milliseconds of one authentication. @default 100 */
  authenticationMs?: number
}

export interface Result extends Counts {
  submitted: number
  /** Minutes from the end of the last outage until all mail that was accepted before that end is settled. */
  drainMinutes: number
  /** The same for all mail that a sender first tried before that end. */
  senderMinutes: number
  /** Minutes from the first try of the sender to the end of mail to MX hosts that accept it at once. */
  mxMinutes: { median: number; max: number }
  /** The same for mail of the organisation itself. */
  ownMinutes: { median: number; max: number }
  /** Messages in flight at most, on one queue. */
  maxInFlight: number
  /** Minutes for which the quota of messages in flight stopped a queue. */
  stalledMinutes: number
  violations: string[]
}

/** DeploymentLimits of a deployment with default settings (infra/config.ts), which belong to this rate. */
const referenceRate = 100
const batchSize = 10
const concurrency = { evaluate: 50, authenticate: 20, deliver: 50, unproven: 20, low: 10, bounce: 10 }
/** docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html */
const inFlightQuota = 120_000
/** Four times the load's share for Amazon SES. */
const sesRate = 100

export function limitsFor({ rate, scale }: Load): DeploymentLimits {
  const part = rate / scale / referenceRate
  const scaled = (count: number) => Math.max(1, Math.round(count * part))
  const { evaluate, authenticate, deliver, unproven, low, bounce } = concurrency
  return {
    concurrency: {
      evaluate: scaled(evaluate),
      authenticate: scaled(authenticate),
      deliver: scaled(deliver),
      unproven: scaled(unproven),
      low: scaled(low),
      bounce: scaled(bounce),
    },
    batchSize,
    inFlightQuota: scaled(inFlightQuota),
    sesRate: sesRate * part,
  }
}

const minuteMs = 60_000
const burstLeadMs = 1_000

export const simulate = (outages: readonly Outage[], load: Load, seed = 1): Promise<Result> =>
  new Simulation(outages, load, seed).run()

class Simulation {
  readonly #clock = new Clock()
  readonly #random: Random
  readonly #tables = new Tables()
  readonly #ledger = new Ledger(
    (message) => this.#tables.recipientState(message),
    (message, mail) => this.#settled(message, mail),
  )
  readonly #deployment: Deployment
  readonly #ingress: SimulatedIngress
  readonly #load: Load
  /** Milliseconds from the start of the load to the end of the last outage. */
  readonly #end: number
  /** Milliseconds between bursts. */
  readonly #intervalMs: number
  readonly #mailCount: number
  /** Messages that clients sent before the end of the last outage. */
  readonly #early = new Set<string>()
  /** Milliseconds from the first try of the sender to the end of mail to MX hosts that accept it at once. */
  readonly #mxMs: number[] = []
  /** The same for mail of the organisation itself. */
  readonly #ownMs: number[] = []
  #lastAccepted = 0
  #lastSubmitted = 0

  constructor(outages: readonly Outage[], load: Load, seed: number) {
    this.#load = load
    this.#end = endOf(outages)
    this.#intervalMs = (1000 * load.scale * load.burst) / load.rate
    const bursts = Math.floor((this.#end + marginMinutes * minuteMs) / this.#intervalMs)
    this.#mailCount = bursts * load.burst
    this.#random = createRandom(seed)
    const parts = { clock: this.#clock, aws: new Aws(this.#clock, outages), random: this.#random }
    this.#deployment = new Deployment({
      ...parts,
      tables: this.#tables,
      ledger: this.#ledger,
      limits: limitsFor(load),
      authenticationMs: load.authenticationMs ?? 100,
    })
    this.#ingress = new SimulatedIngress({ ...parts, enqueue: (job) => this.#deployment.enqueue(job) })
  }

  async run(): Promise<Result> {
    this.#arrive(0)
    await this.#clock.run()
    return this.#result()
  }

  /** @param mail number of the burst's first mail */
  #arrive(mail: number): void {
    const { burst } = this.#load
    this.#clock.at(this.#arrivalOf(mail), () => {
      for (let index = 0; index < burst; index++) void this.#submit(mail + index, this.#clock.now, 1)
      if (mail + burst < this.#mailCount) this.#arrive(mail + burst)
    })
  }

  #arrivalOf(mail: number): number {
    return (Math.floor(mail / this.#load.burst) + 1) * this.#intervalMs - burstLeadMs
  }

  /** @param submission number of the sender's try, from 1 */
  async #submit(mail: number, firstTryAt: number, submission: number): Promise<void> {
    if (!this.#ingress.isRefusing && (await this.#offer(mail, submission))) return
    const { now } = this.#clock
    const backoffMs = senderBackoffMs(now - firstTryAt, this.#random.integerBelow(1000) / 1000)
    this.#clock.at(now + backoffMs, () => void this.#submit(mail, firstTryAt, submission + 1))
  }

  /** @returns whether the ingress accepted the message */
  async #offer(mail: number, submission: number): Promise<boolean> {
    const job = evaluationJob(mail, submission, this.#clock.now)
    const { id } = job.message
    this.#ledger.begin(id, mail)
    if (this.#clock.now < this.#end) this.#early.add(id)
    const isAccepted = await this.#ingress.receive(job)
    this.#ledger.reply(id, isAccepted)
    return isAccepted
  }

  #settled(message: string, mail: number): void {
    this.#tables.drop(message)
    const { now } = this.#clock
    if (isAcceptedByMx(mail)) this.#mxMs.push(now - this.#arrivalOf(mail))
    if (isFromOrganisation(mail)) this.#ownMs.push(now - this.#arrivalOf(mail))
    if (this.#early.delete(message)) this.#lastAccepted = now
    if (this.#arrivalOf(mail) < this.#end) this.#lastSubmitted = now
  }

  #result(): Result {
    this.#ledger.close()
    const { counts, violations } = this.#ledger
    if (counts.accepted !== this.#mailCount)
      violations.push(`${counts.accepted} of ${this.#mailCount} messages are accepted`)
    const { scale } = this.#load
    const queues = Object.values(this.#deployment.queues)
    return {
      ...multiply(counts, scale),
      submitted: this.#mailCount * scale,
      drainMinutes: (this.#lastAccepted - this.#end) / minuteMs,
      senderMinutes: (this.#lastSubmitted - this.#end) / minuteMs,
      mxMinutes: minutesOf(this.#mxMs),
      ownMinutes: minutesOf(this.#ownMs),
      maxInFlight: scale * Math.max(...queues.map(({ maxInFlight }) => maxInFlight)),
      stalledMinutes: Math.max(...queues.map(({ stalledMs }) => stalledMs)) / minuteMs,
      violations,
    }
  }
}

function minutesOf(milliseconds: readonly number[]): Result['mxMinutes'] {
  const sorted = milliseconds.toSorted((first, second) => first - second)
  const minutesAt = (index: number) => (sorted.at(index) ?? 0) / minuteMs
  return { median: minutesAt(Math.floor(sorted.length / 2)), max: minutesAt(-1) }
}

function multiply(counts: Counts, scale: number): Counts {
  const result = { ...counts }
  for (const name of Object.keys(counts) as (keyof Counts)[]) result[name] *= scale
  return result
}
