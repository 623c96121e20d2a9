/** Several processes with a shared count, on a simulated clock and table. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { SharedRateCounter } from '../../../../functions/smtp-ingress/limits/shared-rate-counter.ts'
import type { OtherCounts } from '../../../../shared/transport/rate-table.ts'

/** Runs events in order of time, and at equal times in order of planning. */
class Schedule {
  now = 0
  readonly #events: { at: number; run: () => void }[] = []

  plan(at: number, run: () => void): void {
    const after = this.#events.findLastIndex((event) => event.at <= at)
    this.#events.splice(after + 1, 0, { at, run })
  }

  async run(): Promise<void> {
    for (let next = this.#events.shift(); next; next = this.#events.shift()) {
      this.now = next.at
      next.run()
      // Delivers a response before the next event.
      await null
      await null
    }
  }
}

/** Counts of one key by process, as RateTable stores them. */
class Table {
  readonly #messages = new Map<string, number>()

  report(process: number, minute: number, messages: number): OtherCounts {
    this.#messages.set(`${minute} ${process}`, messages)
    const otherCounts = [...this.#messages].filter(
      ([source]) => source.startsWith(`${minute} `) && source !== `${minute} ${process}`,
    )
    return {
      messages: otherCounts.reduce((sum, [, messages]) => sum + messages, 0),
      counters: otherCounts.length,
    }
  }
}

interface Flood {
  limit: number
  processes: number
  /** Milliseconds from a report to its response; the table is written at half that time. */
  roundTrip: number
  /** The process that gets a message, and the time. */
  arrivals: readonly { at: number; process: number }[]
  fails?: (at: number) => boolean
}

interface Outcome {
  /** Accepted messages in each minute. */
  accepted: Map<number, number>
  /** For each refused message: the number of messages accepted before it in its minute. */
  acceptedWhenRefused: number[]
  reports: number[]
  log: string[]
}

async function simulate({
  limit,
  processes,
  roundTrip,
  arrivals,
  fails = () => false,
}: Flood): Promise<Outcome> {
  const schedule = new Schedule()
  const table = new Table()
  const outcome: Outcome = { accepted: new Map(), acceptedWhenRefused: [], reports: [], log: [] }
  const rates = Array.from({ length: processes }, (_, index) => {
    outcome.reports.push(0)
    return new SharedRateCounter({
      counts: {
        report(_key, minute, messages) {
          outcome.reports[index] = (outcome.reports[index] ?? 0) + 1
          const { promise, resolve, reject } = Promise.withResolvers<OtherCounts>()
          const isLost = fails(schedule.now)
          schedule.plan(schedule.now + roundTrip / 2, () => {
            const otherCounts = isLost ? null : table.report(index, minute, messages)
            schedule.plan(schedule.now + roundTrip / 2, () =>
              otherCounts === null ? reject(new Error('the table is away')) : resolve(otherCounts),
            )
          })
          return promise
        },
      },
      maxKeys: 10,
      log: (level, message) => outcome.log.push(`${level}: ${message}`),
      now: () => schedule.now,
    })
  })
  const lastArrival = Math.max(0, ...arrivals.map(({ at }) => at))
  for (const [index, counter] of rates.entries())
    for (let at = (index * 1000) / processes; at <= lastArrival; at += 1000)
      schedule.plan(at, () => counter.tick(at))
  for (const { at, process } of arrivals)
    schedule.plan(at, () => {
      const minute = Math.floor(at / 60_000)
      const acceptedCount = outcome.accepted.get(minute) ?? 0
      const counter = rates[process]
      if (!counter?.isBelowLimit('contoso', limit, at))
        return void outcome.acceptedWhenRefused.push(acceptedCount)
      counter.countMessage('contoso', limit, at)
      outcome.accepted.set(minute, acceptedCount + 1)
    })
  await schedule.run()
  return outcome
}

/** The maximum number of arrivals at one process within this many milliseconds. */
function maxArrivalsWithin(arrivals: Flood['arrivals'], process: number, milliseconds: number): number {
  const times = arrivals.filter((arrival) => arrival.process === process).map(({ at }) => at)
  return Math.max(
    0,
    ...times.map((from) => times.filter((at) => at >= from && at <= from + milliseconds).length),
  )
}

const flood = fc
  .record({
    limit: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100 })),
    processes: fc.integer({ min: 1, max: 8 }),
    roundTrip: fc.constantFrom(2, 10, 40, 300, 1500),
    start: fc.constantFrom(0, 30_000, 59_000),
    /** The maximum number of milliseconds from one message to the next. */
    pause: fc.constantFrom(0, 3, 20, 60, 150),
    steps: fc.array(fc.tuple(fc.nat(1000), fc.nat(7)), { maxLength: 400, size: 'max' }),
  })
  .map(({ steps, start, pause, ...rest }) => {
    let at = start
    const arrivals = steps.map(([thousandths, process]) => {
      at += Math.round((thousandths * pause) / 1000)
      return { at, process: process % rest.processes }
    })
    return { ...rest, arrivals }
  })

describe('processes that share the count of a limit', () => {
  it('each exceed the limit by less than an eighth of the limit plus the messages that arrive within two round trips', async () => {
    await fc.assert(
      fc.asyncProperty(flood, async (flood) => {
        const { accepted } = await simulate(flood)
        const allowedExcess = Array.from(
          { length: flood.processes },
          (_, process) =>
            Math.max(1, Math.floor(flood.limit / 8)) +
            maxArrivalsWithin(flood.arrivals, process, 2 * flood.roundTrip),
        ).reduce((sum, excess) => sum + excess, 0)
        for (const count of accepted.values())
          assert.ok(count < flood.limit + allowedExcess, `${count} accepted`)
      }),
      { numRuns: 150 },
    )
  })

  it('refuse no message before they have accepted the limit together', async () => {
    await fc.assert(
      fc.asyncProperty(flood, async (flood) => {
        const { acceptedWhenRefused } = await simulate(flood)
        for (const count of acceptedWhenRefused) assert.ok(count >= flood.limit, `refused after ${count}`)
      }),
      { numRuns: 150 },
    )
  })

  it('accept exactly the limit when there is only one process', async () => {
    await fc.assert(
      fc.asyncProperty(flood, async (flood) => {
        const alone = flood.arrivals.map(({ at }) => ({ at, process: 0 }))
        const { accepted } = await simulate({ ...flood, processes: 1, arrivals: alone })
        for (const [minute, count] of accepted) {
          const arrivalCount = alone.filter(({ at }) => Math.floor(at / 60_000) === minute).length
          assert.equal(count, Math.min(arrivalCount, flood.limit))
        }
      }),
      { numRuns: 50 },
    )
  })

  /** Evenly distributed messages for this many seconds. */
  const evenArrivals = (perSecond: number, seconds: number, processes: number) =>
    Array.from({ length: perSecond * seconds }, (_, index) => ({
      at: Math.floor((index * 1000) / perSecond),
      process: index % processes,
    }))

  const burst = evenArrivals(2500, 2, 20)
  const aMinuteLater = burst.map(({ at, process }) => ({ at: at + 60_000, process }))

  const tasks: { name: string; flood: Omit<Flood, 'fails'>; max: number; reports: number }[] = [
    {
      name: '5,000 messages in two seconds, limit 1,000, 20 processes',
      flood: { limit: 1000, processes: 20, roundTrip: 10, arrivals: burst },
      max: 1250,
      reports: 20,
    },
    {
      name: '5,000 messages in two seconds, limit 1,000, 20 processes, repeated a minute later',
      flood: { limit: 1000, processes: 20, roundTrip: 10, arrivals: [...burst, ...aMinuteLater] },
      max: 1060,
      reports: 40,
    },
    {
      name: '1,200 messages in a minute, limit 600, 4 processes',
      flood: { limit: 600, processes: 4, roundTrip: 10, arrivals: evenArrivals(20, 60, 4) },
      max: 604,
      reports: 62,
    },
    {
      name: '1,000 messages in a second, limit 10, 10 processes',
      flood: { limit: 10, processes: 10, roundTrip: 10, arrivals: evenArrivals(1000, 1, 10) },
      max: 30,
      reports: 3,
    },
  ]
  for (const { name, flood, max, reports } of tasks)
    it(`accept at most ${max} messages with at most ${reports} reports per process: ${name}`, async () => {
      const outcome = await simulate(flood)
      const count = outcome.accepted.get(Math.max(...outcome.accepted.keys())) ?? 0
      assert.ok(count >= flood.limit && count <= max, `${count} accepted`)
      for (const count of outcome.reports) assert.ok(count <= reports, `${count} reports`)
    })

  it('each count alone and retry about once per second while reports fail; each logs once that reports fail, and once that they succeed', async () => {
    const { accepted, reports, log } = await simulate({
      limit: 1000,
      processes: 2,
      roundTrip: 10,
      arrivals: evenArrivals(400, 10, 2),
      fails: (at) => at < 8000,
    })
    assert.equal(accepted.get(0), 2000)
    for (const count of reports) assert.ok(count <= 12, `${count} reports`)
    const alone = 'error: message rates of connectors cannot be shared: each task counts alone'
    const together = 'info: message rates of connectors are shared between tasks again'
    assert.deepEqual(log, [alone, alone, together, together])
  })

  it('accept the limit together again when reports succeed', async () => {
    const { accepted, log } = await simulate({
      limit: 1000,
      processes: 2,
      roundTrip: 10,
      arrivals: evenArrivals(100, 20, 2),
      fails: (at) => at < 3000,
    })
    const count = accepted.get(0) ?? 0
    assert.ok(count >= 1000 && count <= 1004, `${count} accepted`)
    assert.equal(log.filter((line) => line.startsWith('info')).length, 2)
  })
})

describe('SharedRateCounter without other processes', () => {
  const alone = (maxKeys = 10) =>
    new SharedRateCounter({
      counts: null,
      maxKeys,
      log: () => assert.fail('nothing should be logged'),
      now: () => 0,
    })
  const countUntilFull = (rates: SharedRateCounter, key: string, limit: number, at: number): number => {
    let count = 0
    while (count < 1000 && rates.isBelowLimit(key, limit, at)) {
      rates.countMessage(key, limit, at)
      count++
    }
    return count
  }

  it('counts each key and each minute separately', () => {
    const rates = alone()
    assert.equal(countUntilFull(rates, 'a', 3, 0), 3)
    assert.equal(countUntilFull(rates, 'b', 5, 59_999), 5)
    assert.equal(countUntilFull(rates, 'a', 3, 59_999), 0)
    assert.equal(countUntilFull(rates, 'a', 3, 60_000), 3)
  })

  it('applies a limit that changes within the minute', () => {
    const rates = alone()
    assert.equal(countUntilFull(rates, 'a', 3, 0), 3)
    assert.equal(countUntilFull(rates, 'a', 5, 1), 2)
    assert.equal(countUntilFull(rates, 'a', 4, 2), 0)
  })

  it('begins a new count when the clock is set back', () => {
    const rates = alone()
    assert.equal(countUntilFull(rates, 'a', 3, 120_000), 3)
    assert.equal(countUntilFull(rates, 'a', 3, 0), 3)
  })

  it('forgets the least recently counted key when there are too many keys', () => {
    const rates = alone(4)
    for (const key of ['a', 'b', 'c', 'a', 'd', 'e']) countUntilFull(rates, key, 1, 0)
    const isKnown = (key: string) => !rates.isBelowLimit(key, 1, 0)
    assert.deepEqual(['e', 'd', 'a', 'b', 'c'].filter(isKnown), ['e', 'd', 'a'])
  })
})
