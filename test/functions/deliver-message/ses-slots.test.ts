import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { after, before, beforeEach, describe, it } from 'node:test'
import { DeleteCommand } from '@aws-sdk/lib-dynamodb'
import {
  type QueueReturn,
  replyWhenGivenUp,
  returnToQueue,
  type SesWait,
} from '../../../functions/deliver-message/return-to-queue.ts'
import { SesSlots, type SesSlotsOptions } from '../../../functions/deliver-message/ses-slots.ts'
import type { DeliveryJob } from '../../../shared/contract/jobs.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { sesQuotaKey } from '../../../shared/transport/keys.ts'
import { SesRateLimiter, type SesReservation } from '../../../shared/transport/ses-rate-limiter.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { message, receivedAt, recipient } from '../../support/fixtures.ts'
import { recordingQueue } from '../../support/queue.ts'

const nowMs = receivedAt.getTime()

const job = (recipientCount = 1, fields: Partial<DeliveryJob> = {}): DeliveryJob => ({
  message: message(),
  recipients: Array.from({ length: recipientCount }, (_, index) =>
    recipient({ address: `r${index}@partner.example` }),
  ),
  destination: 'partner.example',
  route: { kind: 'Ses' },
  tls: opportunistic,
  attempt: 1,
  ...fields,
})

/** Slots whose limiter gives these answers in turn, and then grants all. */
function slotsWith(answers: SesReservation[] = [], fields: Partial<SesSlotsOptions> = {}) {
  const [requested, waited, exhausted]: number[][] = [[], [], []]
  const slots = new SesSlots({
    limiter: {
      reserve: async (count) => {
        requested?.push(count)
        return answers.shift() ?? { kind: 'Reserved', startMs: nowMs, intervalMs: 0 }
      },
    },
    now: () => nowMs,
    random: () => 0,
    onError: () => {},
    onDailyQuotaUsedUp: (limit) => exhausted?.push(limit),
    wait: async (milliseconds) => waited?.push(milliseconds),
    ...fields,
  })
  return { slots, requested, waited, exhausted }
}

describe('in a batch with route Ses', () => {
  const sent = async () => 'sent'
  const run = (slots: SesSlots, ...jobs: DeliveryJob[]) =>
    Promise.all(jobs.map((each) => slots.slotFor(each).runWithSlot(sent)))

  it('one reservation counts the recipients of all messages, and each message waits for its own time', async () => {
    const { slots, requested, waited } = slotsWith([{ kind: 'Reserved', startMs: nowMs, intervalMs: 800 }])
    const results = await run(slots, job(1), job(1), job(3), job(2))
    assert.deepEqual(requested, [7])
    assert.deepEqual(waited, [800, 1_600])
    assert.deepEqual(results, [
      'sent',
      'sent',
      'sent',
      {
        reason: 'SesRate',
        sendAt: new Date(nowMs + 4_000),
        delaySeconds: 3,
        text: 'its quota permits the message later',
      },
    ])
  })

  it('a message is sent at or after its reserved time, without another reservation, and returns before', async () => {
    const { slots, requested, waited } = slotsWith()
    const at = (seconds: number) => job(1, { sendAt: new Date(nowMs + seconds * 1000).toISOString() })
    const results = await run(slots, at(-3_600), at(0), at(1), at(2), at(3.5), at(2_000))
    assert.deepEqual(
      results.map((result) => (typeof result === 'object' ? (result as SesWait).delaySeconds : result)),
      ['sent', 'sent', 'sent', 'sent', 2, 900],
    )
    assert.deepEqual([requested, waited], [[], [1_000, 2_000]])
  })

  it('the first messages use what is left of the quota of 24 hours, and the others return', async () => {
    const left: SesReservation = { kind: 'DailyQuotaUsedUp', left: 3, max24HourSend: 200 }
    const { slots, requested, exhausted } = slotsWith([left])
    const results = await run(slots, job(2), job(1), job(1), job(1))
    assert.deepEqual([requested, exhausted], [[5, 3], [200]])
    const wait = {
      reason: 'SesDailyQuota',
      sendAt: null,
      delaySeconds: 450,
      text: 'it takes 200 recipients in 24 hours',
    }
    assert.deepEqual(results, ['sent', 'sent', wait, wait])
  })

  const refusals: [SesReservation, SesWait][] = [
    [
      { kind: 'RateUsedUp', maxSendRate: 14 },
      { reason: 'SesRate', sendAt: null, delaySeconds: 450, text: 'it takes 14 recipients per second' },
    ],
    [
      { kind: 'QuotaUnknown' },
      { reason: 'SesRate', sendAt: null, delaySeconds: 2, text: 'its quota is unknown' },
    ],
  ]
  for (const [reservation, wait] of refusals)
    it(`a message returns in ${wait.delaySeconds} seconds when the reservation is ${reservation.kind}`, async () =>
      assert.deepEqual(await run(slotsWith([reservation]).slots, job()), [wait]))

  it('a message is sent without a reservation when the table fails', async () => {
    const errors: Error[] = []
    const reserve = async (): Promise<never> => {
      throw new Error('away')
    }
    const { slots } = slotsWith([], { limiter: { reserve }, onError: (error) => errors.push(error) })
    assert.deepEqual(await run(slots, job()), ['sent'])
    assert.equal(errors.length, 1)
  })

  it('after a throttled message, the messages of five seconds return without a reservation, at different times', async () => {
    let atMs = nowMs
    let random = 0
    const { slots, requested } = slotsWith([], { now: () => atMs, random: () => random })
    slots.pause()
    atMs += 4_999
    const wait = { reason: 'SesRate', sendAt: null, text: 'it throttles requests' }
    const sendAt = receivedAt.toISOString()
    assert.deepEqual(await run(slots, job(), job(1, { sendAt, waits: 3 })), [
      { ...wait, delaySeconds: 8 },
      { ...wait, delaySeconds: 60 },
    ])
    random = 0.999
    assert.deepEqual(await run(slots, job(), job(1, { route: { kind: 'TlsReports' } })), [
      { ...wait, delaySeconds: 15 },
      'sent',
    ])
    assert.deepEqual(requested, [])
    atMs += 1
    assert.deepEqual(await run(slots, job()), ['sent'])
  })

  it('a TLS report needs no reservation', async () => {
    const { slots, requested } = slotsWith()
    assert.deepEqual(await run(slots, job(1, { route: { kind: 'TlsReports' } })), ['sent'])
    assert.deepEqual(requested, [])
  })
})

interface Simulation {
  workers: number
  messages: number
  recipientsPerMessage?: number
  maxSendRate: number
  max24HourSend?: number
  /** Recipients that SES accepted in the last 24 hours when the simulation begins, and until when they count. */
  sentBefore?: { count: number; untilSeconds: number }
  seconds: number
}

/**
 * Runs workers against a table and an SES with a quota, on a simulated clock. Each worker takes up to ten jobs that are
 * visible. A job becomes visible up to nine tenths of a second after its delay.
 */
async function simulate(db: TestDynamoDb, settings: Simulation) {
  const { workers, messages, recipientsPerMessage = 1, maxSendRate, max24HourSend = -1, seconds } = settings
  const { count = 0, untilSeconds = 0 } = settings.sentBefore ?? {}
  let clockMs = 0
  let seed = 1
  /** A generator of MINSTD, so that each run is the same. */
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const sends: { atMs: number; recipientCount: number }[] = []
  const accepted = () =>
    (clockMs < untilSeconds * 1000 ? count : 0) +
    sends.reduce((sum, { recipientCount }) => sum + recipientCount, 0)
  const warnings: number[] = []
  const givenUp: DeliveryJob[] = []
  const ownWait = new AsyncLocalStorage<{ ms: number }>()
  const createSlots = () =>
    new SesSlots({
      limiter: new SesRateLimiter(db.documents, db.transportTable, {
        readQuota: async () => ({ maxSendRate, max24HourSend, sentLast24Hours: accepted() }),
        onError: assert.fail,
        timeoutMs: 5_000,
      }),
      now: () => nowMs + clockMs,
      random,
      onError: assert.fail,
      onDailyQuotaUsedUp: (limit) => warnings.push(limit),
      wait: async (milliseconds) => {
        const own = ownWait.getStore()
        if (own) own.ms = milliseconds
      },
    })
  let queue = Array.from({ length: messages }, () => ({ job: job(recipientsPerMessage), visibleAtMs: 0 }))
  const runJob = async (slots: SesSlots, taken: DeliveryJob): Promise<number> =>
    ownWait.run({ ms: 0 }, async () => {
      const own = ownWait.getStore() as { ms: number }
      const result: 'sent' | QueueReturn = await slots.slotFor(taken).runWithSlot(async () => 'sent' as const)
      if (result === 'sent') {
        sends.push({ atMs: clockMs + own.ms, recipientCount: taken.recipients.length })
        return own.ms
      }
      if (replyWhenGivenUp(taken, result) !== null) givenUp.push(taken)
      const delivery = recordingQueue<DeliveryJob>()
      await returnToQueue(taken, result, { delivery, random })
      for (const { job: again, delaySeconds = 0 } of delivery.take())
        queue.push({ job: again, visibleAtMs: clockMs + delaySeconds * 1000 + random() * 900 })
      return 0
    })

  const all = Array.from({ length: workers }, () => ({ slots: createSlots(), freeAtMs: 0 }))
  for (;;) {
    const worker = all.reduce((first, each) => (each.freeAtMs < first.freeAtMs ? each : first))
    const visibleAtMs = queue.reduce((first, each) => Math.min(first, each.visibleAtMs), Infinity)
    clockMs = Math.max(clockMs, worker.freeAtMs, visibleAtMs)
    if (clockMs > seconds * 1000) break
    const batch = queue.filter((each) => each.visibleAtMs <= clockMs).slice(0, 10)
    queue = queue.filter((each) => !batch.includes(each))
    const waits = await Promise.all(batch.map((each) => runJob(worker.slots, each.job)))
    worker.freeAtMs = clockMs + Math.max(...waits) + 50
  }
  return { sends: sends.sort((one, other) => one.atMs - other.atMs), givenUp, warnings }
}

/** Returns how many requests an SES throttles that permits bursts of one second. */
function countThrottled(sends: { atMs: number; recipientCount: number }[], maxSendRate: number): number {
  let [tokens, lastMs, throttled] = [maxSendRate, 0, 0]
  for (const { atMs, recipientCount } of sends) {
    tokens = Math.min(maxSendRate, tokens + ((atMs - lastMs) / 1000) * maxSendRate)
    lastMs = atMs
    if (tokens >= recipientCount) tokens -= recipientCount
    else throttled += 1
  }
  return throttled
}

describe('fifty workers, on a simulated clock,', () => {
  let db: TestDynamoDb
  before(async () => {
    db = await startDynamoDb()
  })
  beforeEach(() => db.documents.send(new DeleteCommand({ TableName: db.transportTable, Key: sesQuotaKey })))
  after(() => db.stop())

  const bursts: [sends: string, Pick<Simulation, 'messages' | 'recipientsPerMessage' | 'maxSendRate'>][] = [
    ['2,000 messages at 14 recipients per second', { messages: 2_000, maxSendRate: 14 }],
    [
      '500 messages to four recipients each at 14 recipients per second',
      { messages: 500, recipientsPerMessage: 4, maxSendRate: 14 },
    ],
    ['1,000 messages at the one recipient per second of a sandbox', { messages: 1_000, maxSendRate: 1 }],
  ]
  for (const [sends, burst] of bursts)
    it(`send ${sends}: within 10 % of the quota, without a throttled request and without a failed attempt`, async () => {
      const result = await simulate(db, { workers: 50, seconds: 10_000, ...burst })
      assert.equal(result.sends.length, burst.messages)
      assert.deepEqual([countThrottled(result.sends, burst.maxSendRate), result.givenUp], [0, []])
      const seconds = (result.sends.at(-1)?.atMs ?? 0) / 1000
      const shortest = (burst.messages * (burst.recipientsPerMessage ?? 1)) / burst.maxSendRate
      assert.ok(seconds < shortest * 1.1, `${seconds} s instead of ${shortest} s`)
    })

  it('send what is left of the quota of 24 hours, wait without a failed attempt, warn, and send when it is renewed', async () => {
    const hours = 0.5
    const settings = {
      workers: 50,
      messages: 100,
      maxSendRate: 10,
      max24HourSend: 200,
      sentBefore: { count: 170, untilSeconds: hours * 3_600 },
      seconds: (hours + 0.4) * 3_600,
    }
    const { sends, givenUp, warnings } = await simulate(db, settings)
    assert.deepEqual([sends.length, givenUp], [100, []])
    assert.equal(sends.filter(({ atMs }) => atMs < hours * 3_600_000).length, 30)
    assert.ok(warnings.length > 0 && warnings.every((limit) => limit === 200))
  })
})
