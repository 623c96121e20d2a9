/**
 * A deployment with random events: the order of workers, the delays and replies of next hops, deaths of workers,
 * duplicate jobs, changes of connectors. Time is a number that increases.
 */
import { createHash } from 'node:crypto'
import { contentReference } from '../../../functions/bounce-message/bounce-job.ts'
import type { DeliveryJob, EvaluationJob } from '../../../shared/contract/jobs.ts'
import type { ContentReference } from '../../../shared/contract/message.ts'
import type { OutboundMessage, Outcome, Outcomes } from '../../../shared/net/smtp-delivery.ts'
import type { Snapshot } from '../../../shared/policy/snapshot.ts'
import type { OutgoingJob } from '../../../shared/queues/job-queue.ts'
import { authenticated, outcome } from '../../support/fixtures.ts'
import { type Entry, Queues, type Unit } from '../../support/pipeline/queues.ts'
import { type Command, operation } from '../../support/pipeline/table.ts'
import { type Ports, runUnit } from '../../support/pipeline/units.ts'
import { executeStep, loseRequest, lostResponses, Worker } from './invocation.ts'
import type { Random } from './random.ts'
import { Witness } from './witness.ts'

/**
 * The numbers are probabilities, except `skewMs`. The probabilities `duplicates` and `queueReturns` apply to each
 * processing of a job, `throttles` to each transmission, the others to each step.
 */
export interface Faults {
  /** SQS delivers a job again although it was done. */
  duplicates: number
  /** A worker dies. */
  deaths: number
  /** The functions whose workers may die. */
  mortalUnits: readonly Unit[]
  /** A request or its response is lost. */
  failures: number
  /** A delivery job returns to the queue without an attempt. */
  queueReturns: number
  /** Amazon SES throttles a transmission. */
  throttles: number
  /** An administrator changes the connectors. */
  changes: number
  /** An administrator requests a retry of the message. */
  retries: number
  /** An administrator releases the message. */
  releases: number
  /** An administrator returns the message. */
  returns: number
  /** An administrator drops the message. */
  drops: number
  /** Maximum difference in milliseconds between a worker's clock and the simulated time, in either direction. */
  skewMs: number
  /** The message expires soon. Next hops are mostly slow, and duplicates are delivered after a short time. */
  expiresSoon: boolean
}

export interface SimulationOptions {
  random: Random
  faults: Faults
  table: { send(command: Command): unknown }
  connectors: Snapshot
  /** The connectors from which each change chooses. */
  otherConnectors: readonly Snapshot[]
  /** Connectors change only after this holds. */
  mayChange(witness: Witness): boolean
  now: number
}

/**
 * Maximum of duplicates, deaths and failures together in a run: enough for combinations, and few enough for the run to
 * end.
 */
export const maxFaults = 6
const maxRetries = 10
const maxStepsWithChanges = 3_000
const maxSteps = 20_000

export class SimulatedDeployment {
  readonly queues = new Queues()
  readonly witness = new Witness()
  readonly log: string[] = []
  readonly #settings: SimulationOptions
  readonly #random: Random
  readonly #contents = new Map<string, Buffer>()
  #workers: Worker[] = []
  #accepted = ''
  #now: number
  #connectors: Snapshot
  #faultsLeft = maxFaults
  #retriesLeft = maxRetries

  constructor(setting: SimulationOptions) {
    this.#settings = setting
    this.#random = setting.random
    this.#now = setting.now
    this.#connectors = setting.connectors
  }

  accept(job: EvaluationJob, content: Buffer): void {
    this.#accepted = job.message.id
    this.#contents.set(job.message.content.key, content)
    this.queues.send('evaluate', job, this.#now)
  }

  /** Resolves when no job is left, or after too many steps. */
  async run(): Promise<void> {
    for (let step = 0; step < maxSteps; step++) {
      await this.#waitUntilIdle()
      this.#retire()
      const { changes, retries, releases, returns, drops } = this.#settings.faults
      if (step < maxStepsWithChanges && this.#random.happens(changes)) this.#changeConnectors()
      if (this.#retriesLeft > 0 && this.#random.happens(retries)) this.#administer('retry')
      if (this.#retriesLeft > 0 && this.#random.happens(releases)) this.#administer('release')
      if (this.#retriesLeft > 0 && this.#random.happens(returns)) this.#administer('return')
      if (this.#retriesLeft > 0 && this.#random.happens(drops)) this.#administer('drop')
      if (!(await this.#proceed())) return
    }
    this.#logEvent('the run does not end')
  }

  /** Executes one event. @returns false when no further event is possible */
  async #proceed(): Promise<boolean> {
    const entries = this.queues.visible(this.#now)
    if (entries.length > 0 && (this.#workers.length === 0 || this.#random.happens(0.25)))
      this.#begin(this.#random.oneOf(entries))
    else if (this.#workers.length > 0) await this.#advance(this.#random.oneOf(this.#workers))
    else return this.#wait()
    return true
  }

  #wait(): boolean {
    const next = this.queues.nextVisible()
    if (next !== null) this.#now = next
    return next !== null
  }

  #begin(entry: Entry): void {
    if (this.queues.receive(entry, this.#now)) this.#start(entry)
    else this.#logEvent(`job ${entry.number} is a dead letter`)
  }

  #start(entry: Entry): void {
    const worker = new Worker(entry, this.#now)
    this.#logEvent(`${worker.name} begins to ${entry.unit}`)
    this.#workers.push(worker)
    if (entry.unit === 'evaluate') this.witness.evaluations.push(JSON.parse(entry.body).message.id)
    worker.run(
      () => runUnit(entry.unit, entry.body, this.#portsOf(worker), entry.receives),
      (error) => this.#logEvent(`${worker.name} failed: ${error}`),
    )
  }

  async #advance(worker: Worker): Promise<void> {
    const { deaths, mortalUnits, failures } = this.#settings.faults
    if (this.#now > worker.deadline) return this.#die(worker)
    if (mortalUnits.includes(worker.entry.unit) && this.#fault(deaths)) return this.#die(worker)
    const step = worker.takeStep((steps) => this.#random.oneOf(steps))
    const isTransmission = step.name.startsWith('transmit')
    this.#now += this.#random.integerBelow(isTransmission ? this.#transmissionMs() : 20)
    if (isTransmission || !this.#fault(failures)) {
      this.#logEvent(`${worker.name}: ${step.name}`)
      return executeStep(step)
    }
    const loss = this.#random.oneOf(lostResponses)
    this.#logEvent(`${worker.name}: ${step.name} is ${loss}`)
    return loseRequest(step, loss)
  }

  #transmissionMs(): number {
    return this.#random.happens(this.#settings.faults.expiresSoon ? 0.8 : 0.3) ? 200_000 : 5_000
  }

  #die(worker: Worker): void {
    this.#logEvent(`${worker.name} dies`)
    this.#workers = this.#workers.filter((remaining) => remaining !== worker)
  }

  #fault(probability: number): boolean {
    if (this.#faultsLeft === 0 || !this.#random.happens(probability)) return false
    this.#faultsLeft--
    return true
  }

  /** Resolves when every worker waits for a step or has ended. */
  async #waitUntilIdle(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve))
    while (this.#workers.some(({ isRunning }) => isRunning))
  }

  #retire(): void {
    const ended = this.#workers.filter(({ ending }) => ending !== null)
    this.#workers = this.#workers.filter(({ ending }) => ending === null)
    for (const { ending, entry } of ended) {
      if (ending === 'Failed') this.#delay(entry)
      else if (this.#fault(this.#settings.faults.duplicates)) this.#duplicate(entry)
      else this.queues.delete(entry)
    }
  }

  /** A failed function delays its job. A client of the API has its own timeout. */
  #delay(entry: Entry): void {
    if (isAdministratorUnit(entry.unit)) return
    this.queues.delay(entry, this.#now, this.#random.integerBelow(1_000) / 1_000)
  }

  #duplicate(entry: Entry): void {
    const [shortDelayMs, longDelayMs] = this.#settings.faults.expiresSoon
      ? [5_000, 120_000]
      : [60_000, 1_200_000]
    entry.visibleAt =
      this.#now + this.#random.integerBelow(this.#random.happens(0.5) ? shortDelayMs : longDelayMs)
    this.#logEvent(`job ${entry.number} will be delivered again`)
  }

  #changeConnectors(): void {
    if (!this.#settings.mayChange(this.witness)) return
    const changed = this.#random.oneOf(this.#settings.otherConnectors)
    this.#connectors = { ...changed, version: this.#connectors.version + 1 }
    this.#logEvent(`the connectors are now set ${this.#settings.otherConnectors.indexOf(changed)}`)
  }

  /**
   * Requests a retry, a release, a return or a drop: now, at the time when the next job becomes visible, or at a random time.
   * Sometimes sends two requests for the same time.
   */
  #administer(unit: AdministratorUnit): void {
    const later = this.#now + this.#random.integerBelow(900_000)
    const at = this.#random.oneOf([this.#now, this.queues.nextVisible() ?? this.#now, later])
    for (let times = this.#random.happens(0.5) ? 1 : 2; times > 0; times--) {
      this.#retriesLeft--
      const { number } = this.queues.send(unit, this.#accepted, at)
      this.#logEvent(`an administrator will request a ${unit}, as job ${number}`)
    }
  }

  #portsOf(worker: Worker): Ports {
    const { skewMs } = this.#settings.faults
    const skew = skewMs === 0 ? 0 : this.#random.integerBelow(2 * skewMs) - skewMs
    return {
      request: (command) => worker.step(describe(command), () => this.#request(command, worker)),
      send: (unit, outgoing) => worker.step(`send to ${unit}`, () => this.#send(unit, outgoing, worker)),
      emit: (events) =>
        worker.step(`emit ${events.map(({ kind }) => kind)}`, () =>
          this.witness.recordEvents(events, this.#now),
        ),
      read: (reference) => worker.step('read', () => this.#read(reference)),
      authenticate: () =>
        worker.step('authenticate', () => ({
          ...this.#random.oneOf(results),
          at: new Date(this.#now + skew).toISOString(),
        })),
      store: (octets, { key }) =>
        worker.step('store', () => {
          this.#contents.set(key, octets)
        }),
      transmit: (mail, job, version) =>
        worker.step('transmit', () => this.#transmit(mail, job, version, worker)),
      reasonNotToRun: () =>
        this.#random.happens(this.#settings.faults.queueReturns)
          ? this.#random.oneOf(['NoSlot', 'NoSlot', 'NoTime'])
          : null,
      connectors: () => this.#connectors,
      now: () => new Date(this.#now + skew),
    }
  }

  async #request(command: Command, worker: Worker): Promise<unknown> {
    const response = await this.#settings.table.send(command)
    this.witness.recordWrite(command, worker.name)
    return response
  }

  #send(unit: Unit, outgoing: readonly OutgoingJob<unknown>[], { entry }: Worker): void {
    for (const { job, delaySeconds = 0 } of outgoing) {
      const { number } = this.queues.send(unit, job, this.#now + delaySeconds * 1000)
      this.#logEvent(`job ${number} is sent to ${unit} in ${delaySeconds} s`)
      if (entry.unit === 'evaluate' && unit === 'deliver') this.witness.recordDecidedJob(job as DeliveryJob)
      if (entry.unit === 'bounce') this.#notify(job as EvaluationJob, entry)
      if (isAdministratorUnit(entry.unit)) this.witness.retries++
      if (entry.unit === 'deliver' && (job as EvaluationJob).retry) this.witness.returnedForDecision++
    }
  }

  #notify({ message }: EvaluationJob, { number }: Entry): void {
    this.witness.recordNotification(
      message.id,
      this.#contents.get(message.content.key) ?? Buffer.of(),
      number,
    )
  }

  #read({ key, sha256 }: ContentReference): Buffer {
    const octets = this.#contents.get(key) ?? Buffer.of()
    if (createHash('sha256').update(octets).digest('hex') === sha256) return octets
    this.witness.mismatches.push(key)
    throw new Error(`${key} differs from the stored content`)
  }

  #transmit(
    { recipients }: OutboundMessage,
    { message, attempt, connectorsVersion, route, tls }: DeliveryJob,
    version: number,
    worker: Worker,
  ): Outcomes {
    const stale = connectorsVersion !== version
    const isThrottled = this.#random.happens(this.#settings.faults.throttles)
    return new Map(
      recipients.map(({ address }) => {
        const outcome = isThrottled ? 'TemporaryFailure' : this.#random.oneOf(outcomes)
        const delivered = outcome === 'Delivered'
        const dsnPassedOn = this.#random.happens(0.5)
        this.witness.recordTransmission({
          message: message.id,
          address,
          attempt,
          isAccepted: delivered,
          isThrottled,
          dsnPassedOn,
          isStale: stale,
          isAuthenticated: message.source === null || message.authentication !== undefined,
          route,
          tls,
          worker: worker.name,
        })
        this.#logEvent(`${address} by attempt ${attempt}: ${isThrottled ? 'throttled' : outcome}`)
        return [address, { ...outcomeOf(outcome), dsnPassedOn, isThrottled }]
      }),
    )
  }

  #logEvent(event: string): void {
    this.log.push(`${new Date(this.#now).toISOString()} ${event}`)
  }
}

type AdministratorUnit = Exclude<Unit, 'evaluate' | 'authenticate' | 'deliver' | 'bounce'>
const isAdministratorUnit = (unit: Unit): unit is AdministratorUnit =>
  unit === 'retry' || unit === 'release' || unit === 'return' || unit === 'drop'

const results = [authenticated('none', 'elsewhere.example'), authenticated('temperror', null)]

/** Next hops often fail: half of the attempts fail temporarily. */
const outcomes: readonly Outcome['outcome'][] = [
  ...Array<'TemporaryFailure'>(5).fill('TemporaryFailure'),
  ...Array<'Delivered'>(3).fill('Delivered'),
  'PermanentFailure',
  'TlsNotMet',
]

const replies: Record<Outcome['outcome'], Outcome['reply']> = {
  Delivered: { code: 250, enhanced: '2.0.0', text: 'Ok' },
  TemporaryFailure: { code: 451, enhanced: '4.3.0', text: 'Later' },
  PermanentFailure: { code: 550, enhanced: '5.1.1', text: 'No such user' },
  TlsNotMet: { code: 451, enhanced: '4.7.321', text: 'STARTTLS is not offered' },
}

const outcomeOf = (kind: Outcome['outcome']): Outcome => outcome({ outcome: kind, reply: replies[kind] })

const describe = (command: Command): string =>
  `${operation(command)} ${(command.input.Item ?? command.input.Key)?.sk ?? ''}`

/** A message's octets and their location. */
export function storedContent(id: string): { content: ContentReference; octets: Buffer } {
  const octets = Buffer.from('Subject: to be carried through\r\n\r\n')
  return { content: contentReference('content', id, octets), octets }
}
