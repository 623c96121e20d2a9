/**
 * A deployment whose clock stands still while a function runs, except that each delivery attempt takes 2 seconds. When
 * no function runs, the clock jumps to the next job. The functions are those that are deployed. The SMTP client
 * connects to a real server. Queues and table are in memory. DSNs arrive immediately.
 */
import { contentReference } from '../../functions/bounce-message/bounce-job.ts'
import type { DsnKind, EvaluationJob } from '../../shared/contract/jobs.ts'
import type { Attempt, Message, Recipient } from '../../shared/contract/message.ts'
import {
  deliverOverSmtp,
  type OutboundMessage,
  type Outcome,
  type Outcomes,
  type SmtpDeliveryOptions,
} from '../../shared/net/smtp-delivery.ts'
import type { Settings } from '../../shared/policy/evaluate.ts'
import type { Snapshot } from '../../shared/policy/snapshot.ts'
import { authenticatedMessage, outcome, receivedAt } from './fixtures.ts'
import { readMultipart } from './multipart.ts'
import { type Entry, Queues } from './pipeline/queues.ts'
import { MemoryTable } from './pipeline/table.ts'
import { type Ports, runUnit } from './pipeline/units.ts'

export interface RecordedAttempt {
  /** Start of the attempt, in milliseconds after the message was received. */
  at: number
  number: number
  /** Outcomes by address. */
  outcomes: Record<string, Attempt['outcome']>
  /** Enhanced status codes, by address. */
  codes: Record<string, string>
}

export interface ReceivedDsn {
  /** Arrival of the DSN, in milliseconds after the message was received. */
  at: number
  kind: DsnKind
  addresses: string[]
  /** Status fields of the machine-readable part. */
  status: string[]
  text: string
}

/** The duration of each attempt in milliseconds. */
export const attemptMs = 2_000

export const sender = 'a@elsewhere.example'

interface Options {
  connectors: Snapshot
  smtp: SmtpDeliveryOptions
  settings?: Settings
}

export class Deployment {
  readonly attempts: RecordedAttempt[] = []
  readonly results: ReceivedDsn[] = []
  readonly #queues = new Queues()
  readonly #table = new MemoryTable()
  readonly #contents = new Map<string, Buffer>()
  readonly #options: Options
  #plans: { at: number; act(): void }[] = []
  #now = receivedAt.getTime()

  constructor(options: Options) {
    this.#options = options
  }

  /** Accepts a message as the ingress does. */
  accept(recipients: Recipient[], fields: Partial<Message> = {}): Message {
    const octets = Buffer.from('Subject: Hello\r\n\r\nHello\r\n')
    const content = contentReference('content', 'received', octets)
    this.#contents.set(content.key, octets)
    const acceptedMessage = authenticatedMessage({
      mailFrom: sender,
      content,
      size: octets.length,
      ...fields,
    })
    const job: EvaluationJob = { message: acceptedMessage, recipients, notBefore: null }
    this.#queues.send('evaluate', job, this.#now)
    return acceptedMessage
  }

  /** Requests the next attempt as an administrator does, `at` milliseconds after the message was received. */
  retryAt(at: number, { id }: Message): void {
    this.#plans.push({ at, act: () => this.#queues.send('retry', id, this.#now) })
  }

  /** Resolves when no job or planned action is left. */
  async run(): Promise<void> {
    for (;;) {
      const [next] = this.#queues.visible(this.#now)
      if (next) await this.#work(next)
      else if (!this.#leap()) return
    }
  }

  /**
   * Moves the clock to the next job or planned action, and runs the actions that are due. An action's `at` is in
   * milliseconds after the message was received. Returns false if no job and no action is left.
   */
  #leap(): boolean {
    const planned = Math.min(...this.#plans.map(({ at }) => receivedAt.getTime() + at))
    const next = Math.min(this.#queues.nextVisible() ?? Number.POSITIVE_INFINITY, planned)
    if (next === Number.POSITIVE_INFINITY) return false
    this.#now = Math.max(this.#now, next)
    const duePlans = this.#plans.filter(({ at }) => at <= this.#elapsed())
    this.#plans = this.#plans.filter(({ at }) => at > this.#elapsed())
    for (const { act } of duePlans) act()
    return true
  }

  async #work(entry: Entry): Promise<void> {
    const { settings } = this.#options
    await runUnit(entry.unit, entry.body, { ...this.#ports, ...(settings && { settings }) })
    this.#queues.delete(entry)
  }

  readonly #ports: Ports = {
    request: async (command) => this.#table.send(command),
    send: async (unit, outgoing) => {
      for (const { job, delaySeconds = 0 } of outgoing)
        this.#queues.send(unit, job, this.#now + delaySeconds * 1000)
    },
    read: async ({ key }) => this.#contents.get(key) ?? Buffer.of(),
    store: async (octets, { key }) => void this.#contents.set(key, octets),
    transmit: (mail, job) =>
      mail.message.envelope.mailFrom === ''
        ? this.#recordDsn(mail)
        : this.#attempt(mail, job.route, job.attempt),
    reasonNotToRun: () => null,
    connectors: () => this.#options.connectors,
    now: () => new Date(this.#now),
  }

  async #attempt(
    mail: OutboundMessage,
    route: Parameters<Ports['transmit']>[1]['route'],
    number: number,
  ): Promise<Outcomes> {
    if (route.kind !== 'Mx' && route.kind !== 'SmartHosts')
      throw new Error(`this deployment has no route ${route.kind}`)
    const at = this.#elapsed()
    const outcomes = await deliverOverSmtp(route, mail, this.#options.smtp)
    const byAddress = <T>(select: (outcome: Outcome) => T) =>
      Object.fromEntries([...outcomes].map(([address, outcome]) => [address, select(outcome)]))
    this.attempts.push({
      at,
      number,
      outcomes: byAddress(({ outcome }) => outcome),
      codes: byAddress(({ reply }) => reply.enhanced),
    })
    this.#now += attemptMs
    return outcomes
  }

  async #recordDsn({ content, recipients }: OutboundMessage): Promise<Outcomes> {
    const { parts } = readMultipart(content)
    const status = parts[1]?.text ?? ''
    const values = (name: string) =>
      [...status.matchAll(new RegExp(`^${name}: (.*)\\r$`, 'gm'))].map(([, value = '']) => value)
    this.results.push({
      at: this.#elapsed(),
      kind: values('Action')[0] as DsnKind,
      addresses: values('Final-Recipient').map((value) => value.replace('rfc822; ', '')),
      status: values('Status'),
      text: parts[0]?.text ?? '',
    })
    return new Map(recipients.map(({ address }) => [address, acceptedOutcome]))
  }

  #elapsed(): number {
    return this.#now - receivedAt.getTime()
  }
}

const acceptedOutcome = outcome({ host: 'mx.elsewhere.example' })
