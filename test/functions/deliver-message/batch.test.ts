import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Batch, type BatchOptions } from '../../../functions/deliver-message/batch.ts'
import type { Slot } from '../../../shared/transport/slots.ts'

/** Slots that are counted. */
function places(max: number) {
  const asked: string[] = []
  let free = max
  return {
    asked,
    free: () => free,
    async acquire(destination: string): Promise<Slot | null> {
      asked.push(destination)
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

const batch = (fields: Partial<BatchOptions> = {}) =>
  new Batch({
    slots: places(1),
    limitMs: 1_000,
    minRemainingMs: 0,
    onError: (error) => assert.fail(error),
    ...fields,
  })

/** A task that ends on request and reports its start. */
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

describe('the records of one batch', () => {
  it('run one after another for one destination, in one slot, which is released after the last', async () => {
    const slots = places(1)
    const one = batch({ slots })
    const order: string[] = []
    const records = ['first', 'second', 'third'].map(async (name) => {
      const place = one.enqueue('partner.example')
      await place.runExclusive(async () => {
        order.push(`${name} begins`)
        await Promise.resolve()
        order.push(`${name} ends`)
      })
      assert.equal(slots.free(), 0)
      place.leave()
    })
    await Promise.all(records)
    await one.end()
    assert.deepEqual(
      order,
      ['first', 'second', 'third'].flatMap((name) => [`${name} begins`, `${name} ends`]),
    )
    assert.deepEqual([slots.asked, slots.free()], [['partner.example'], 1])
  })

  it('run in parallel for different destinations', async () => {
    const one = batch({ slots: places(2) })
    const slow = task('slow')
    const hanging = one.enqueue('slow.example').runExclusive(slow.run)
    await slow.begun
    assert.equal(await one.enqueue('fast.example').runExclusive(async () => 'fast'), 'fast')
    slow.end()
    assert.equal(await hanging, 'slow')
  })

  it('continue after a failed record', async () => {
    const one = batch()
    const first = one.enqueue('partner.example').runExclusive(() => Promise.reject(new Error('lost')))
    const second = one.enqueue('partner.example').runExclusive(async () => 'done')
    await assert.rejects(first, /lost/)
    assert.equal(await second, 'done')
  })

  it('do not begin without a slot, which is requested once', async () => {
    const slots = places(0)
    const one = batch({ slots })
    const results = await Promise.all(
      [1, 2, 3].map(() => one.enqueue('partner.example').runExclusive(() => assert.fail('begun'))),
    )
    assert.deepEqual(results, ['NoSlot', 'NoSlot', 'NoSlot'])
    assert.deepEqual(slots.asked, ['partner.example'])
  })

  it('do not begin with too little time, and then take no slot', async () => {
    const slots = places(1)
    const one = batch({ slots, limitMs: 100, minRemainingMs: 101 })
    assert.equal(await one.enqueue('partner.example').runExclusive(() => assert.fail('begun')), 'NoTime')
    assert.deepEqual(slots.asked, [])
  })

  it('do not begin behind a record that takes all the time', async () => {
    const one = batch({ limitMs: 60, minRemainingMs: 30 })
    const until = () =>
      new Promise<string>((resolve) => one.signal.addEventListener('abort', () => resolve('late')))
    const [first, second] = await Promise.all([
      one.enqueue('partner.example').runExclusive(until),
      one.enqueue('partner.example').runExclusive(() => assert.fail('begun')),
    ])
    assert.deepEqual([first, second], ['late', 'NoTime'])
  })

  it('are delivered when the table of slots fails', async () => {
    const faults: string[] = []
    const one = batch({
      slots: { acquire: () => Promise.reject(new Error('throttled')) },
      onError: ({ message }) => faults.push(message),
    })
    assert.equal(await one.enqueue('partner.example').runExclusive(async () => 'done'), 'done')
    assert.deepEqual(faults, ['throttled'])
  })

  it('succeed although their slot could not be released', async () => {
    const faults: string[] = []
    const one = batch({
      slots: { acquire: async () => ({ release: () => Promise.reject(new Error('the table is down')) }) },
      onError: ({ message }) => faults.push(message),
    })
    const place = one.enqueue('partner.example')
    await place.runExclusive(async () => 'done')
    place.leave()
    await one.end()
    assert.deepEqual(faults, ['the table is down'])
  })

  it('look up the next hops of a route once', async () => {
    const one = batch()
    const questions: string[] = []
    const resolver = {
      query: async (name: string, type: string) => {
        questions.push(`${type} ${name}`)
        return { kind: 'NoSuchName' as const, secure: false }
      },
    }
    const find = () =>
      one.find({ kind: 'Mx', domain: 'partner.example' }, resolver as never, {
        privateNetworks: [],
        dane: false,
        random: () => 0,
        signal: one.signal,
      })
    const [first, second] = [await find(), await find()]
    assert.equal(first.kind, 'NotFound')
    assert.equal(second, first)
    assert.equal(questions.length, 1)
  })
})
