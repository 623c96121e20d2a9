import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { DeleteCommand } from '@aws-sdk/lib-dynamodb'
import type { SesQuota } from '../../../shared/net/ses-api.ts'
import { sesQuotaKey } from '../../../shared/transport/keys.ts'
import { SesRateLimiter, type SesReservation } from '../../../shared/transport/ses-rate-limiter.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { eventually } from '../../support/eventually.ts'
import { receivedAt } from '../../support/fixtures.ts'

let db: TestDynamoDb
let quota: SesQuota
let readings: number
let errors: Error[]
before(async () => {
  db = await startDynamoDb()
})
beforeEach(async () => {
  await db.documents.send(new DeleteCommand({ TableName: db.transportTable, Key: sesQuotaKey }))
  quota = { maxSendRate: 10, max24HourSend: 50_000, sentLast24Hours: 0 }
  readings = 0
  errors = []
})
after(() => db.stop())

const worker = (readQuota = async () => quota) =>
  new SesRateLimiter(db.documents, db.transportTable, {
    readQuota: () => {
      readings += 1
      return readQuota()
    },
    onError: (error) => errors.push(error),
    timeoutMs: 5_000,
  })

const secondsLater = (seconds: number): Date => new Date(receivedAt.getTime() + seconds * 1000)

/** The start in milliseconds after `receivedAt`, or the kind of refusal. */
const startOf = (reservation: SesReservation): number | string =>
  reservation.kind === 'Reserved' ? Math.round(reservation.startMs - receivedAt.getTime()) : reservation.kind

describe('reservations in the quota of Amazon SES', () => {
  it('start now and follow each other at 95 % of the rate, over all workers', async () => {
    const [first, second] = [worker(), worker()]
    assert.equal(startOf(await first.reserve(19, receivedAt)), 0)
    assert.equal(startOf(await second.reserve(19, receivedAt)), 2_000)
    assert.equal(startOf(await first.reserve(1, receivedAt)), 4_000)
    assert.equal(startOf(await second.reserve(1, secondsLater(60 * 5))), 300_000)
  })

  it('do not overlap when fifty workers reserve at the same time', async () => {
    await worker().reserve(1, receivedAt)
    const starts = await Promise.all(
      Array.from({ length: 50 }, async () => startOf(await worker().reserve(19, secondsLater(1)))),
    )
    assert.deepEqual(
      starts.map(Number).sort((one, other) => one - other),
      Array.from({ length: 50 }, (_, index) => 1_000 + index * 2_000),
    )
  })

  it('reach a quarter of an hour into the future', async () => {
    const limiter = worker()
    await limiter.reserve(19 * 450, receivedAt)
    assert.equal(startOf(await limiter.reserve(1, receivedAt)), 900_000)
    assert.deepEqual(await limiter.reserve(1, receivedAt), { kind: 'RateUsedUp', maxSendRate: 10 })
    assert.equal(startOf(await worker().reserve(1, receivedAt)), 'RateUsedUp')
    assert.equal(startOf(await limiter.reserve(1, secondsLater(1))), 900_105)
  })

  it('end with the quota of 24 hours, and say how much of it is left', async () => {
    quota = { maxSendRate: 10, max24HourSend: 200, sentLast24Hours: 190 }
    const limiter = worker()
    assert.deepEqual(await limiter.reserve(11, receivedAt), {
      kind: 'DailyQuotaUsedUp',
      left: 10,
      max24HourSend: 200,
    })
    assert.equal(startOf(await worker().reserve(10, receivedAt)), 0)
    assert.equal(startOf(await limiter.reserve(1, receivedAt)), 'DailyQuotaUsedUp')
    quota = { ...quota, sentLast24Hours: 150 }
    assert.equal(startOf(await limiter.reserve(50, secondsLater(61))), 61_000)
  })

  it('count those that SES has not seen yet against the quota of 24 hours', async () => {
    quota = { maxSendRate: 1, max24HourSend: 200, sentLast24Hours: 0 }
    await worker().reserve(190, receivedAt)
    // After 95 of 200 seconds, SES has counted 90 recipients, and 100 are reserved.
    quota = { ...quota, sentLast24Hours: 90 }
    assert.deepEqual(await worker().reserve(12, secondsLater(95)), {
      kind: 'DailyQuotaUsedUp',
      left: 10,
      max24HourSend: 200,
    })
  })

  it('have no end in 24 hours when the quota is -1', async () => {
    quota = { maxSendRate: 1_000_000, max24HourSend: -1, sentLast24Hours: 5_000_000 }
    assert.equal(startOf(await worker().reserve(1_000_000, receivedAt)), 0)
  })

  it('stop until the next reading when SES says that the quota of 24 hours is used up', async () => {
    const limiter = worker()
    await limiter.reserve(1, receivedAt)
    await limiter.recordDailyQuotaUsedUp()
    assert.equal(startOf(await worker().reserve(1, secondsLater(30))), 'DailyQuotaUsedUp')
    assert.equal(startOf(await worker().reserve(1, secondsLater(61))), 61_000)
  })

  it('use a new quota within a minute', async () => {
    const limiter = worker()
    await limiter.reserve(1, receivedAt)
    quota = { ...quota, maxSendRate: 100 }
    const reservation = await limiter.reserve(1, secondsLater(60))
    assert.equal(reservation.kind === 'Reserved' && Math.round(reservation.intervalMs * 95), 1_000)
  })
})

describe('the quota of Amazon SES', () => {
  it('is read once a minute by all workers together', async () => {
    const workers = Array.from({ length: 20 }, () => worker())
    for (const seconds of [0, 1, 59, 60, 61, 119])
      await Promise.all(workers.map((limiter) => limiter.reserve(1, secondsLater(seconds))))
    assert.equal(readings, 2)
  })

  it('is unknown to other workers during its first reading, and read by another worker when the first one crashed', async () => {
    const reading = Promise.withResolvers<SesQuota>()
    const crashed = worker(() => reading.promise).reserve(1, receivedAt)
    await eventually(() => readings === 1, 'the first reading')
    assert.equal(startOf(await worker().reserve(1, secondsLater(4))), 'QuotaUnknown')
    assert.equal(startOf(await worker().reserve(1, secondsLater(5))), 5_000)
    reading.resolve(quota)
    await crashed
  })

  it('does not limit mail while it was never read, and keeps its value when a later reading fails', async () => {
    const away = async (): Promise<never> => {
      throw new Error('away')
    }
    const limiter = worker(away)
    assert.equal(startOf(await limiter.reserve(100_000, receivedAt)), 0)
    await worker().reserve(1, secondsLater(61))
    const reservation = await limiter.reserve(1, secondsLater(122))
    assert.equal(reservation.kind === 'Reserved' && Math.round(reservation.intervalMs), 105)
    assert.deepEqual(
      errors.map(({ message }) => message),
      ['away', 'away'],
    )
  })
})
