import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Batch, type BatchOptions } from '../../../functions/deliver-message/batch.ts'
import { contentMemory } from '../../../functions/deliver-message/content-memory.ts'
import type { AcquiredSlots } from '../../../shared/transport/slots.ts'
import { message } from '../../support/fixtures.ts'

/** Creates slots that are counted, and records requests for them. A batch gets `count` slots of a destination. */
function countedSlots(max: number, count = 1) {
  const requests: [destination: string, wanted: number][] = []
  const reports: string[] = []
  const reductions: number[] = []
  let free = max
  return {
    requests,
    reports,
    reductions,
    free: () => free,
    async acquire(destination: string, wanted: number): Promise<AcquiredSlots | null> {
      requests.push([destination, wanted])
      if (free === 0) return null
      free -= 1
      return {
        count: Math.min(wanted, count),
        report: (load) => void reports.push(load),
        reduceTo: (remaining) => void reductions.push(remaining),
        async release() {
          free += 1
        },
      }
    },
  }
}

const largeContent = { bucket: 'b', key: 'k', offset: 0, length: 30_000_000, sha256: '0'.repeat(64) }

const createBatch = (fields: Partial<BatchOptions> = {}) =>
  new Batch({
    slots: countedSlots(1),
    limitMs: 1_000,
    minRemainingMs: 0,
    onError: (error) => assert.fail(error),
    ...fields,
  })

/** Creates a task that ends on request and reports its start. */
function task<T>(result: T) {
  const begun = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<T>()
  return {
    begun: begun.promise,
    end: () => ended.resolve(result),
    run() {
      begun.resolve()
      return ended.promise
    },
  }
}

describe('the deliveries of one batch', () => {
  it('to one destination run one after another with one slot, which is released after the last delivery', async () => {
    const slots = countedSlots(1)
    const batch = createBatch({ slots })
    const order: string[] = []
    const records = ['first', 'second', 'third'].map(async (name) => {
      const entry = batch.enqueue('partner.example')
      await entry.runWithSlot(async () => {
        order.push(`${name} begins`)
        await Promise.resolve()
        order.push(`${name} ends`)
      })
      assert.equal(slots.free(), 0)
      entry.leave()
    })
    await Promise.all(records)
    await batch.end()
    assert.deepEqual(
      order,
      ['first', 'second', 'third'].flatMap((name) => [`${name} begins`, `${name} ends`]),
    )
    assert.deepEqual([slots.requests, slots.free()], [[['partner.example', 1]], 1])
  })

  it('to one destination run side by side in as many slots as the batch has, the others in order', async () => {
    const batch = createBatch({ slots: countedSlots(1, 3) })
    const tasks = Array.from({ length: 9 }, (_, number) => task(number))
    const begun: number[] = []
    const records = tasks
      .map((each, number) => ({ each, number, entry: batch.enqueue('partner.example') }))
      .map(({ each, number, entry }) =>
        entry.runWithSlot(() => {
          begun.push(number)
          return each.run()
        }),
      )
    await tasks[2]?.begun
    assert.deepEqual(begun, [0, 1, 2])
    tasks[1]?.end()
    await tasks[3]?.begun
    assert.deepEqual(begun, [0, 1, 2, 3])
    for (const each of tasks) each.end()
    assert.deepEqual(await Promise.all(records), [0, 1, 2, 3, 4, 5, 6, 7, 8])
  })

  it('request a slot for each four records, but at most five', async () => {
    for (const [records, wanted] of [
      [1, 1],
      [4, 1],
      [5, 2],
      [10, 3],
      [20, 5],
      [50, 5],
    ] as const) {
      const slots = countedSlots(1, 10)
      const batch = createBatch({ slots })
      const entries = Array.from({ length: records }, () => batch.enqueue('partner.example'))
      await Promise.all(entries.map((entry) => entry.runWithSlot(async () => 'done')))
      assert.deepEqual(slots.requests, [['partner.example', wanted]])
    }
  })

  it('continue with fewer slots when the destination is overloaded, and report it', async () => {
    const reports: string[] = []
    let count = 2
    const acquired: AcquiredSlots = {
      get count() {
        return count
      },
      report(load) {
        reports.push(load)
        count = 1
      },
      reduceTo() {},
      release: async () => {},
    }
    const batch = createBatch({ slots: { acquire: async () => acquired } })
    const tasks = [task('a'), task('b'), task('c'), task('d')]
    const begun: number[] = []
    const entries = tasks.map(() => batch.enqueue('partner.example'))
    const records = tasks.map(async (each, number) => {
      const result = await entries[number]?.runWithSlot(() => {
        begun.push(number)
        return each.run()
      })
      return result
    })
    await tasks[1]?.begun
    entries[0]?.reportLoad('Overloaded')
    tasks[0]?.end()
    await records[0]
    assert.deepEqual([begun, reports], [[0, 1], ['Overloaded']])
    tasks[1]?.end()
    await tasks[2]?.begun
    assert.deepEqual(begun, [0, 1, 2])
    for (const each of tasks) each.end()
    await Promise.all(records)
  })

  it('to ten slow destinations all begin before the first ends', async () => {
    const batch = createBatch({ slots: countedSlots(10) })
    const tasks = Array.from({ length: 10 }, (_, number) => task(number))
    const results = tasks.map((each, number) => batch.enqueue(`slow${number}.example`).runWithSlot(each.run))
    await Promise.all(tasks.map(({ begun }) => begun))
    for (const each of tasks) each.end()
    assert.deepEqual(
      await Promise.all(results),
      tasks.map((_, number) => number),
    )
  })

  it('keep no more slots than there are deliveries left', async () => {
    const slots = countedSlots(1, 5)
    const batch = createBatch({ slots })
    const entries = Array.from({ length: 3 }, () => batch.enqueue('partner.example'))
    await Promise.all(entries.map((entry) => entry.runWithSlot(async () => 'done')))
    for (const entry of entries) entry.leave()
    assert.deepEqual(slots.reductions, [2, 1, 0])
  })

  it('to different destinations run in parallel', async () => {
    const batch = createBatch({ slots: countedSlots(2) })
    const slow = task('slow')
    const hanging = batch.enqueue('slow.example').runWithSlot(slow.run)
    await slow.begun
    assert.equal(await batch.enqueue('fast.example').runWithSlot(async () => 'fast'), 'fast')
    slow.end()
    assert.equal(await hanging, 'slow')
  })

  it('continue after a failed delivery', async () => {
    const batch = createBatch()
    const first = batch.enqueue('partner.example').runWithSlot(() => Promise.reject(new Error('lost')))
    const second = batch.enqueue('partner.example').runWithSlot(async () => 'done')
    await assert.rejects(first, /lost/)
    assert.equal(await second, 'done')
  })

  it('do not begin when no slot is free, and request a slot once', async () => {
    const slots = countedSlots(0)
    const batch = createBatch({ slots })
    const results = await Promise.all(
      [1, 2, 3].map(() => batch.enqueue('partner.example').runWithSlot(() => assert.fail('begun'))),
    )
    assert.deepEqual(results, ['NoSlot', 'NoSlot', 'NoSlot'])
    assert.deepEqual(slots.requests, [['partner.example', 1]])
  })

  it('do not begin and take no slot when too little time is left', async () => {
    const slots = countedSlots(1)
    const batch = createBatch({ slots, limitMs: 100, minRemainingMs: 101 })
    assert.equal(await batch.enqueue('partner.example').runWithSlot(() => assert.fail('begun')), 'NoTime')
    assert.deepEqual(slots.requests, [])
  })

  it('do not begin after a delivery that used all the time', async () => {
    const batch = createBatch({ limitMs: 60, minRemainingMs: 30 })
    const waitForAbort = () =>
      new Promise<string>((resolve) => batch.signal.addEventListener('abort', () => resolve('late')))
    const [first, second] = await Promise.all([
      batch.enqueue('partner.example').runWithSlot(waitForAbort),
      batch.enqueue('partner.example').runWithSlot(() => assert.fail('begun')),
    ])
    assert.deepEqual([first, second], ['late', 'NoTime'])
  })

  it('of large messages do not begin after a wait for memory that used all the time', async () => {
    const batch = createBatch({ limitMs: 1_000, minRemainingMs: 950 })
    const inMemory = contentMemory()
    const large = { route: { kind: 'Ses' } as const, message: message({ content: largeContent }) }
    const run = (work: () => Promise<unknown>) => inMemory(large, () => batch.runIfTimeIsLeft(work))
    const first = run(() => delay(60))
    let hasBegun = false
    const second = run(async () => {
      hasBegun = true
    })
    await first
    assert.deepEqual([await second, hasBegun], ['NoTime', false])
  })

  it('run without a slot when the table of slots fails', async () => {
    const faults: string[] = []
    const batch = createBatch({
      slots: { acquire: () => Promise.reject(new Error('throttled')) },
      onError: ({ message }) => faults.push(message),
    })
    assert.equal(await batch.enqueue('partner.example').runWithSlot(async () => 'done'), 'done')
    assert.deepEqual(faults, ['throttled'])
  })

  it('succeed when their slot cannot be released', async () => {
    const faults: string[] = []
    const batch = createBatch({
      slots: {
        acquire: async () => ({
          count: 1,
          report() {},
          reduceTo() {},
          release: () => Promise.reject(new Error('the table is down')),
        }),
      },
      onError: ({ message }) => faults.push(message),
    })
    const entry = batch.enqueue('partner.example')
    await entry.runWithSlot(async () => 'done')
    entry.leave()
    await batch.end()
    assert.deepEqual(faults, ['the table is down'])
  })

  it('look up the next hops of the same route once', async () => {
    const batch = createBatch()
    const queries: string[] = []
    const resolver = {
      query: async (name: string, type: string) => {
        queries.push(`${type} ${name}`)
        return { kind: 'NoSuchName' as const, secure: false }
      },
    }
    const find = () =>
      batch.find({ kind: 'Mx', domain: 'partner.example' }, resolver as never, {
        privateNetworks: [],
        dane: false,
        random: () => 0,
        signal: batch.signal,
      })
    const [first, second] = [await find(), await find()]
    assert.equal(first.kind, 'NotFound')
    assert.equal(second, first)
    assert.equal(queries.length, 1)
  })
})
