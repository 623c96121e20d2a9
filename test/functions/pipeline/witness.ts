/** Records the effects of the pipeline: on next hops and on the sender, and the number of jobs. */
import assert from 'node:assert/strict'
import { eventId, type MailEvent } from '../../../shared/contract/events.ts'
import type { DeliveryJob, DsnKind, Route, TlsRequirement } from '../../../shared/contract/jobs.ts'
import { type Command, operation } from '../../support/pipeline/table.ts'

export interface Transmission {
  /** Number of the recorded event: a later event has a larger number. */
  order: number
  message: string
  address: string
  attempt: number
  /** Whether the next hop accepted the message. */
  isAccepted: boolean
  /** Whether the next hop got the NOTIFY parameters. */
  dsnPassedOn: boolean
  /** Whether Amazon SES throttled it, so that it may not count as an attempt. */
  isThrottled: boolean
  /** Whether connectors had changed between the decision and the start of the worker. */
  isStale: boolean
  /** Whether the message has authentication results, or needs none. */
  isAuthenticated: boolean
  route: Route
  tls: TlsRequirement
  worker: string
  /** Whether the worker wrote the result before it died. */
  isRecorded: boolean
}

/** One recipient in a DSN that was sent. */
export interface Notification {
  order: number
  dsn: string
  kind: DsnKind
  address: string
  /** Number of the bounce job. */
  job: number
  /** The `order` of the write that recorded this DSN in its job's claim; null if all workers died before that write. */
  recordedOrder: number | null
}

export interface RecordedRequest {
  order: number
  message: string
  address: string
  kind: 'Release' | 'Return' | 'Drop'
  /** Whether its event was sent before. */
  hasEvent: boolean
}

const requestKinds: Readonly<Record<string, RecordedRequest['kind']>> = {
  waived: 'Release',
  returned: 'Return',
  dropped: 'Drop',
}

export class Witness {
  readonly transmissions: Transmission[] = []
  readonly notifications: Notification[] = []
  readonly evaluations: string[] = []
  readonly mismatches: string[] = []
  /** Number of jobs with which an administrator requested an attempt. */
  retries = 0
  /** Number of jobs that returned a delivery for a new decision. */
  returnedForDecision = 0
  /** Recipients with a recorded verdict, as `ID ADDRESS`. */
  readonly decided = new Set<string>()
  /** Recorded requests of an administrator. */
  readonly requests: RecordedRequest[] = []
  /** Attempts with the workers that claimed them and did not release them. */
  claims: { message: string; address: string; attempt: number; worker: string }[] = []
  /** The events of each request to the events queue, with the simulated time. */
  readonly emissions: { at: number; events: readonly MailEvent[] }[] = []
  /** The events that were sent, by id. Of copies, the first one counts. */
  readonly events = new Map<string, MailEvent>()
  /** Recipients with an event that decides their delivery, as `ID ADDRESS`; a copy may decide otherwise. */
  readonly #toDeliver = new Set<string>()
  /** Attempts whose delivery job was sent before an event of its decision, as `ID ADDRESS`. */
  readonly jobsBeforeEvents: string[] = []
  #order = 0

  recordEvents(events: readonly MailEvent[], at: number): void {
    this.emissions.push({ at, events })
    for (const event of events) {
      const { id, kind, messageId, recipient, decision } = event
      if (!this.events.has(id)) this.events.set(id, event)
      if (kind === 'Decided' && decision === 'Deliver') this.#toDeliver.add(`${messageId} ${recipient}`)
    }
  }

  recordDecidedJob({ message, recipients }: DeliveryJob): void {
    for (const { address } of recipients)
      if (!this.#toDeliver.has(`${message.id} ${address}`))
        this.jobsBeforeEvents.push(`${message.id} ${address}`)
  }

  recordTransmission(transmission: Omit<Transmission, 'order' | 'isRecorded'>): void {
    this.transmissions.push({ ...transmission, order: ++this.#order, isRecorded: false })
  }

  /** @param octets the DSN's content, which names its recipients */
  recordNotification(dsn: string, octets: Buffer, job: number): void {
    const text = octets.toString()
    const kind = /^Action: (failed|delayed|relayed|delivered)/m.exec(text)?.[1] as Notification['kind']
    for (const [, address = ''] of text.matchAll(/^Final-Recipient: rfc822; (\S+)/gm))
      this.notifications.push({ order: ++this.#order, dsn, kind, address, job, recordedOrder: null })
  }

  /** Records a write that claimed or released an attempt, or wrote a result. Call it after the write. */
  recordWrite(command: Command, worker: string): void {
    if (operation(command) !== 'UpdateCommand') return
    const { pk, sk } = command.input.Key as { pk: string; sk: string }
    const [itemType, ...rest] = sk.split('#')
    if (itemType === 'recipient') this.#recipientWritten(pk, rest.join('#'), command, worker)
    const result = command.input.ExpressionAttributeValues?.[':result'] as { dsn: string }
    if (itemType === 'dsn') this.#dsnWritten(result.dsn, rest as [string, string])
  }

  #recipientWritten(message: string, address: string, { input }: Command, worker: string): void {
    const values = input.ExpressionAttributeValues ?? {}
    if (':detail' in values) this.decided.add(`${message} ${address}`)
    if (':request' in values) this.#requested({ message, address }, input)
    const attempt = values[':attempt'] as number
    if (':leaseUntil' in values) this.claims.push({ message, address, attempt, worker })
    if (input.UpdateExpression === 'REMOVE holder, leaseUntil')
      this.#released({ message, address, attempt, worker })
    // evaluate-policy writes the result of another worker.
    if (':result' in values) this.#resultWritten({ message, address, attempt, worker })
  }

  #requested(
    recipient: Pick<RecordedRequest, 'message' | 'address'>,
    { UpdateExpression = '', ExpressionAttributeValues = {} }: Command['input'],
  ): void {
    const [, attribute = ''] = /^SET (\w+) = :request/.exec(UpdateExpression) ?? []
    const { at, by } = ExpressionAttributeValues[':request'] as { at: string; by: string }
    const kind = requestKinds[attribute] ?? assert.fail(`${attribute} is no request`)
    const hasEvent = this.events.has(eventId('Requested', recipient.message, recipient.address, kind, at, by))
    this.requests.push({ ...recipient, kind, order: ++this.#order, hasEvent })
  }

  #released(released: Witness['claims'][number]): void {
    this.claims = this.claims.filter((claim) => !isSameClaim(claim, released))
  }

  #resultWritten(written: Witness['claims'][number]): void {
    for (const transmission of this.transmissions)
      transmission.isRecorded ||= isSameClaim(transmission, written)
  }

  #dsnWritten(dsn: string, [kind, address]: [string, string]): void {
    const order = ++this.#order
    for (const notification of this.notifications)
      if (notification.dsn === dsn && notification.kind === kind && notification.address === address)
        notification.recordedOrder ??= order
  }
}

const isSameClaim = (one: Witness['claims'][number], other: Witness['claims'][number]): boolean =>
  one.message === other.message &&
  one.address === other.address &&
  one.attempt === other.attempt &&
  one.worker === other.worker
