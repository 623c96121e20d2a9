/**
 * Stores events with record-events and seals them with seal-hour, over a bucket in memory. The events queue delivers
 * messages late, sometimes by hours, and twice; some batches fail after they were stored, and are repeated.
 */
import assert from 'node:assert/strict'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import type { SQSRecord } from 'aws-lambda'
import { recordEvents } from '../../../../functions/record-events/record-events.ts'
import { type SealRequest, sealHours } from '../../../../functions/seal-hour/seal-hours.ts'
import { eventId, type MailEvent, messageHash } from '../../../../shared/contract/events.ts'
import { sealMinute } from '../../../../shared/contract/seal-schedule.ts'
import { EventQueue } from '../../../../shared/events/event-queue.ts'
import { addHours, hourOf, hoursBetween, startOf } from '../../../../shared/events/hours.ts'
import type { SealMarker } from '../../../../shared/events/seal-marker.ts'
import { ulidTime } from '../../../../shared/messages/message-keys.ts'
import { jobPosition } from '../../../../shared/messages/trace.ts'
import { Random } from '../../../support/random.ts'
import { SealedEvents } from '../../../support/sealed-events.ts'
import type { IndexedRecipient, MessageRun } from './message-run.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** Messages of the events queue in a batch. */
const recordsPerBatch = 50
const copyProbability = 0.1
const failureProbability = 0.05
/** Hours from the receipt of a message to the last seal that compares its events with the messages table. */
export const lastLookHours = 49

export class Recording {
  readonly sealed: SealedEvents
  readonly #random: Random
  readonly #bodies = new Map<string, string[]>()
  readonly #recipients: IndexedRecipient[] = []
  /** Ids of the events that the functions have sent. */
  readonly ids = new Set<string>()
  counts = { emitted: 0, copies: 0, failedBatches: 0 }
  #first = ''
  #last = ''

  constructor(seed: number) {
    this.#random = new Random(seed)
    this.sealed = new SealedEvents({
      recipients: {
        receivedIn: (hour, shard) => this.#receivedIn(hour, shard),
        status: async (recipients) => recipients.map((recipient) => (recipient as IndexedRecipient).status),
      },
    })
  }

  async add({ emissions, recipients }: Pick<MessageRun, 'emissions' | 'recipients'>): Promise<void> {
    for (const recipient of recipients) this.#recipients.push(recipient)
    for (const { at, events } of emissions) {
      this.counts.emitted += events.length
      for (const { id } of events) this.ids.add(id)
      for (const body of await bodiesOf(events)) {
        await this.#deliver(body, at)
        if (this.#random.happens(copyProbability)) {
          this.counts.copies++
          await this.#deliver(body, at)
        }
      }
    }
  }

  /** Stores what is left. */
  async end(): Promise<void> {
    while (this.#bodies.size > 0) for (const hour of [...this.#bodies.keys()]) await this.#record(hour)
  }

  /** Seals every hour as the schedule does, until all messages were compared. */
  async seal(): Promise<SealMarker[]> {
    this.#recipients.sort((a, b) => (a.order < b.order ? -1 : 1))
    const markers: SealMarker[] = []
    for (const hour of hoursBetween(addHours(this.#first, -2), addHours(this.#last, lastLookHours + 1)))
      await this.#sealAt(startOf(addHours(hour, 1)) + sealMinute * minuteMs, markers)
    return markers
  }

  /**
   * Deletes an event of each kind with its copies, of different messages, and everything that the seals have written.
   * Then the recorded hours can be sealed again.
   */
  loseEvents(kinds: readonly MailEvent['kind'][]): MailEvent[] {
    const { objects } = this.sealed.store
    for (const key of objects.keys()) if (!key.startsWith('raw/')) objects.delete(key)
    const lost: MailEvent[] = []
    const isWanted = (event: MailEvent) =>
      kinds.includes(event.kind) &&
      isCompared(event) &&
      !lost.some(({ kind, messageId }) => kind === event.kind || messageId === event.messageId)
    for (const object of objects.values()) {
      for (const event of eventsIn(object)) if (isWanted(event)) lost.push(event)
      if (lost.length === kinds.length) break
    }
    const ids = new Set(lost.map(({ id }) => id))
    for (const [key, object] of objects) {
      const events = eventsIn(object)
      const kept = events.filter(({ id }) => !ids.has(id))
      if (kept.length < events.length)
        objects.set(key, gzipSync(kept.map((event) => `${JSON.stringify(event)}\n`).join('')))
    }
    return lost
  }

  async #sealAt(now: number, markers: SealMarker[]): Promise<void> {
    const requests: SealRequest[] = [{ source: 'aws.events' }]
    for (let request = requests.shift(); request !== undefined; request = requests.shift())
      markers.push(
        ...(await sealHours(request, {
          ...this.sealed.dependencies,
          invoke: async (next) => void requests.push(next),
          onSealed: () => {},
          onOverdue: (hours) => assert.equal(hours, 0),
          remainingMs: () => Number.POSITIVE_INFINITY,
          now: () => now,
        })),
      )
  }

  async #deliver(body: string, at: number): Promise<void> {
    const hour = hourOf(at + this.#delayMs())
    if (this.#first === '' || hour < this.#first) this.#first = hour
    if (hour > this.#last) this.#last = hour
    const bodies = this.#bodies.get(hour) ?? []
    this.#bodies.set(hour, bodies)
    if (bodies.push(body) >= recordsPerBatch) await this.#record(hour)
  }

  #delayMs(): number {
    const upTo = (limit: number) => this.#random.between(0, limit)
    switch (this.#random.weighted<'long' | 'hours' | 'short'>({ long: 0.03, hours: 0.07 }, 'short')) {
      case 'long':
        return upTo(30 * hourMs)
      case 'hours':
        return upTo(3 * hourMs)
      default:
        return upTo(minuteMs)
    }
  }

  async #record(hour: string): Promise<void> {
    const bodies = this.#bodies.get(hour) ?? []
    this.#bodies.delete(hour)
    const fails = this.#random.happens(failureProbability)
    const { batchItemFailures } = await recordEvents(
      { Records: bodies.map((body, index) => recordOf(body, index)) },
      {
        store: this.sealed.store,
        addresses: async () => null,
        rejected: { store: async () => (fails ? Promise.reject(new Error('throttled')) : undefined) },
        source: {
          delay: async () => [],
          sendToDeadLetters: () => assert.fail('every message can be read'),
        },
        logger: { info: () => {}, error: () => {} },
        countFailing: () => {},
        now: () => startOf(hour) + this.#random.between(0, hourMs),
      },
    )
    assert.equal(batchItemFailures.length, fails ? bodies.length : 0)
    if (!fails) return
    this.counts.failedBatches++
    for (const body of bodies) await this.#deliver(body, startOf(hour) + hourMs / 2)
  }

  async *#receivedIn(
    hour: string,
    { shard, shards }: { shard: number; shards: number },
  ): AsyncGenerator<IndexedRecipient> {
    const [low, high] = [ulidTime(startOf(hour)), ulidTime(startOf(addHours(hour, 1)))]
    for (const recipient of this.#recipients)
      if (
        recipient.order >= low &&
        recipient.order <= high &&
        messageHash(recipient.messageId) % shards === shard
      )
        yield recipient
  }
}

/** Whether seals compare the event with the messages table: not later decisions, and not attempts whose worker died. */
const isCompared = ({ kind, id, messageId = '', recipient = '', decision }: MailEvent): boolean =>
  kind === 'Decided'
    ? id === eventId('Decided', messageId, recipient, jobPosition(0, null))
    : decision !== 'Unknown'

/** The bodies that EventQueue sends. */
async function bodiesOf(events: readonly MailEvent[]): Promise<string[]> {
  const bodies: string[] = []
  const send = async ({ input: { Entries = [] } }: SendMessageBatchCommand) => {
    bodies.push(...Entries.map(({ MessageBody = '' }) => MessageBody))
    return { Successful: Entries }
  }
  await new EventQueue({ send } as never, 'events').send(events)
  return bodies
}

const recordOf = (body: string, index: number): SQSRecord =>
  ({ messageId: String(index), body, attributes: { ApproximateReceiveCount: '1' } }) as SQSRecord

const eventsIn = (object: Buffer): MailEvent[] =>
  gunzipSync(object)
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
