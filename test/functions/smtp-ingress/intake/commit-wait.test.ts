import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArrivalRates } from '../../../../functions/smtp-ingress/intake/arrival-rates.ts'
import { commitWaitMs, type WaitingBatch } from '../../../../functions/smtp-ingress/intake/commit-wait.ts'
import { Random } from '../../../support/random.ts'

const rows: [why: string, batch: Partial<WaitingBatch>, waitMs: number][] = [
  ['no other is expected', { rate: 0 }, 0],
  ['no other is expected, and it has waited', { rate: 0, waitedMs: 20 }, 0],
  ['no other is expected, but another batch is being written', { rate: 0, isWriting: true }, 5],
  ['it has waited for the other batch', { rate: 0, isWriting: true, waitedMs: 5 }, 0],
  ['one in 50 ms is just unlikely', { rate: 13.8 }, 0],
  ['one in 50 ms is just likely', { rate: 13.9 }, 50],
  ['one in 50 ms is likely, and it has waited', { rate: 20, waitedMs: 30, items: 2 }, 20],
  ['it has waited long enough', { rate: 20, waitedMs: 50, items: 2 }, 0],
  ['ten are expected after 45 ms', { rate: 200 }, 45],
  ['ten are expected after 18 ms', { rate: 500 }, 18],
  ['half of them are there', { rate: 500, items: 5, waitedMs: 9 }, 10],
  ['ten are there', { rate: 500, items: 10, waitedMs: 20 }, 0],
  ['ten are there at once', { rate: 500, items: 10 }, 5],
  ['ten are expected after less than 5 ms', { rate: 50_000, isWriting: true }, 5],
]
for (const [why, batch, waitMs] of rows)
  test(`a batch ${waitMs > 0 ? `waits ${waitMs} ms` : 'is written'} when ${why}`, () => {
    const remainingMs = commitWaitMs({ items: 1, waitedMs: 0, isWriting: false, rate: 0, ...batch })
    assert.equal(Math.max(0, remainingMs), waitMs)
  })

/** Whether a first item waits for others. */
const waits = (rate: number | undefined) =>
  commitWaitMs({ items: 1, waitedMs: 0, isWriting: false, rate: rate ?? assert.fail('not measured') }) > 0

/** Rates by the number of outstanding items, each read when that number was reached. */
type RatesByOutstanding = Map<number, number>

/** Items at these times, each outstanding for 40 ms. */
function ratesOf(arrivals: readonly number[]): RatesByOutstanding {
  const rates = new ArrivalRates(0)
  const seen: RatesByOutstanding = new Map()
  const ends: number[] = []
  for (const at of arrivals) {
    for (; (ends[0] ?? Infinity) <= at; ends.shift()) rates.recordEnd(1, ends[0] as number)
    rates.recordArrival(at)
    ends.push(at + 40)
    seen.set(ends.length, rates.rateAt(at))
  }
  return seen
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

/** Independent arrivals: a Poisson process. */
function poissonArrivals(perSecond: number, count: number): number[] {
  const random = new Random(perSecond)
  let at = 0
  return range(count).map(() => {
    at -= (1000 / perSecond) * Math.log(1 - random.number())
    return at
  })
}

for (const [perSecond, isLikely] of [
  [5, false],
  [50, true],
  [500, true],
] as const)
  test(`independent messages at ${perSecond} per second have about that rate while others wait, so a batch ${isLikely ? 'waits' : 'does not wait'}`, () => {
    const rates = ratesOf(poissonArrivals(perSecond, 10 * perSecond))
    const typical = Math.max(1, Math.round(perSecond * 0.04))
    const rate = rates.get(typical) ?? assert.fail(`never ${typical} outstanding`)
    assert.ok(rate > perSecond / 2 && rate < 2 * perSecond, String(rate))
    assert.equal(waits(rate), isLikely)
  })

test('a client that waits for each reply has no rate while its message waits, however fast it sends', () => {
  const rates = ratesOf(range(500).map((index) => index * 42))
  assert.deepEqual([...rates.keys()], [1])
  assert.equal(rates.get(1), 0)
})

test('with five such clients a further message is likely until all five wait', () => {
  const rates = ratesOf(range(500).flatMap((round) => range(5).map((client) => round * 50 + client)))
  for (const outstanding of [1, 2, 3, 4]) assert.ok(waits(rates.get(outstanding)), String(outstanding))
  assert.ok(!waits(rates.get(5)))
})

test('a message after a pause of half a minute does not wait', () => {
  const busy = range(1000).map((index) => index * 10)
  const rates = ratesOf([...busy, 10_000 + 30_000])
  assert.ok(!waits(rates.get(1)))
})

test('the first messages of a new stream do not wait before a rate is known', () => {
  assert.ok(!waits(ratesOf([1000]).get(1)))
})

test('any number of outstanding items is measured', () => {
  const rates = new ArrivalRates(0)
  for (let count = 0; count < 10_000; count++) rates.recordArrival(count / 10)
  assert.ok(rates.rateAt(1000) > 1000)
  rates.recordEnd(10_000, 1000)
  assert.ok(rates.rateAt(1000) < 100)
})
