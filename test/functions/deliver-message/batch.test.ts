import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Batch, type BatchOptions } from '../../../functions/deliver-message/batch.ts'
import type { Slot } from '../../../shared/transport/slots.ts'

/** Creates slots that are counted, and records requests for them. */
function countedSlots(max: number) {
  const requests: string[] = []
  let free = max
  return {
    requests,
    free: () => free,
    async acquire(destination: string): Promise<Slot | null> {
      requests.push(destination)
      if (free === 0) return null
      free -= 1
      return {
        async release() {
          free += 1
        },
      }
    },
  }
}

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
  it('to one destination run one after another in one slot, which is released after the last delivery', async () => {
    const slots = countedSlots(1)
    const batch = createBatch({ slots })
    const order: string[] = []
    const records = ['first', 'second', 'third'].map(async (name) => {
      const entry = batch.enqueue('partner.example')
      await entry.runExclusive(async () => {
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
    assert.deepEqual([slots.requests, slots.free()], [['partner.example'], 1])
  })

  it('to different destinations run in parallel', async () => {
    const batch = createBatch({ slots: countedSlots(2) })
    const slow = task('slow')
    const hanging = batch.enqueue('slow.example').runExclusive(slow.run)
    await slow.begun
    assert.equal(await batch.enqueue('fast.example').runExclusive(async () => 'fast'), 'fast')
    slow.end()
    assert.equal(await hanging, 'slow')
  })

  it('continue after a failed delivery', async () => {
    const batch = createBatch()
    const first = batch.enqueue('partner.example').runExclusive(() => Promise.reject(new Error('lost')))
    const second = batch.enqueue('partner.example').runExclusive(async () => 'done')
    await assert.rejects(first, /lost/)
    assert.equal(await second, 'done')
  })

  it('do not begin when no slot is free, and request a slot once', async () => {
    const slots = countedSlots(0)
    const batch = createBatch({ slots })
    const results = await Promise.all(
      [1, 2, 3].map(() => batch.enqueue('partner.example').runExclusive(() => assert.fail('begun'))),
    )
    assert.deepEqual(results, ['NoSlot', 'NoSlot', 'NoSlot'])
    assert.deepEqual(slots.requests, ['partner.example'])
  })

  it('do not begin and take no slot when too little time is left', async () => {
    const slots = countedSlots(1)
    const batch = createBatch({ slots, limitMs: 100, minRemainingMs: 101 })
    assert.equal(await batch.enqueue('partner.example').runExclusive(() => assert.fail('begun')), 'NoTime')
    assert.deepEqual(slots.requests, [])
  })

  it('do not begin after a delivery that used all the time', async () => {
    const batch = createBatch({ limitMs: 60, minRemainingMs: 30 })
    const waitForAbort = () =>
      new Promise<string>((resolve) => batch.signal.addEventListener('abort', () => resolve('late')))
    const [first, second] = await Promise.all([
      batch.enqueue('partner.example').runExclusive(waitForAbort),
      batch.enqueue('partner.example').runExclusive(() => assert.fail('begun')),
    ])
    assert.deepEqual([first, second], ['late', 'NoTime'])
  })

  it('run without a slot when the table of slots fails', async () => {
    const faults: string[] = []
    const batch = createBatch({
      slots: { acquire: () => Promise.reject(new Error('throttled')) },
      onError: ({ message }) => faults.push(message),
    })
    assert.equal(await batch.enqueue('partner.example').runExclusive(async () => 'done'), 'done')
    assert.deepEqual(faults, ['throttled'])
  })

  it('succeed when their slot cannot be released', async () => {
    const faults: string[] = []
    const batch = createBatch({
      slots: { acquire: async () => ({ release: () => Promise.reject(new Error('the table is down')) }) },
      onError: ({ message }) => faults.push(message),
    })
    const entry = batch.enqueue('partner.example')
    await entry.runExclusive(async () => 'done')
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
