import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Dependencies, eraseAddress } from '../../../functions/erase-address/erase-address.ts'
import type { Part, Step } from '../../../functions/erase-address/step.ts'
import type { EraseRequest } from '../../../shared/contract/erase-request.ts'
import { type Erasure, Erasures, nothingErased } from '../../../shared/events/erasures.ts'
import { memoryEventStore } from '../../support/event-store.ts'

const id = '01KF0CVZT0ABCDEFGHJKMNPQRS'
const request: EraseRequest = { id, address: 'ann@ours.example' }
const minute = 60_000

interface Setup {
  /** The parts of each step in each pass; a missing pass finds nothing. */
  passes: Partial<Part>[][][]
  /** Milliseconds that each part takes. */
  partMs?: number
  hasUnsealedHour?: () => boolean
  dies?: () => boolean
}

async function run({ passes, partMs = 0, hasUnsealedHour = () => false, dies = () => false }: Setup) {
  let now = Date.parse('2026-11-30T20:00:00Z')
  const startedAt = now
  const sleeps: number[] = []
  const invoked: EraseRequest[] = []
  const runs: string[] = []
  let begunAt = now
  let pass = -1
  const erasures = new Erasures(memoryEventStore(), () => now)
  const start: Erasure = {
    id,
    state: 'Running',
    startedAt: new Date(now).toISOString(),
    finishedAt: null,
    actor: 'arn:admin',
    erased: nothingErased,
    remaining: [],
    reason: null,
  }
  await erasures.write(start)
  const steps = [0, 1].map(
    (step): Step => ({
      changesRaw: step === 1,
      async *run(after) {
        if (step === 0 && after === null) pass += 1
        const parts = passes[pass]?.[step] ?? []
        for (const [index, part] of parts.entries()) {
          if (typeof after === 'number' && index <= after) continue
          if (dies()) throw new Error('killed')
          now += partMs
          runs.push(`${pass}.${step}.${index}`)
          yield { after: index, erased: {}, ...part }
        }
      },
    }),
  )
  const dependencies: Dependencies = {
    erasures,
    steps,
    remaining: async () => ['/changes'],
    hasUnsealedHour: async () => hasUnsealedHour(),
    invoke: async (next) => void invoked.push(next),
    remainingMs: () => 15 * minute - (now - begunAt),
    now: () => now,
    async sleep(ms) {
      sleeps.push(ms / minute)
      now += ms
    },
    waitMs: minute,
  }
  let next: EraseRequest | undefined = request
  let invocations = 0
  for (; next !== undefined; next = invoked.shift()) {
    invocations += 1
    begunAt = now
    const current: EraseRequest = JSON.parse(JSON.stringify(next))
    await eraseAddress(current, dependencies).catch((error: Error) => {
      if (error.message !== 'killed') throw error
      // Lambda repeats the invocation.
      invoked.unshift(current)
    })
  }
  const erasure = (await erasures.load(id)) as Erasure
  return { erasure, sleeps, runs, invocations, minutes: (now - startedAt) / minute, dependencies }
}

const found = { erased: { events: 2, files: 1 } }

describe('an erasure', () => {
  test('that finds nothing has succeeded after one pass', async () => {
    const { erasure, sleeps, minutes } = await run({ passes: [] })
    assert.deepEqual(
      [erasure.state, erasure.remaining, erasure.reason, sleeps, minutes],
      ['Succeeded', ['/changes'], null, [], 0],
    )
    assert.equal(erasure.finishedAt, '2026-11-30T20:00:00.000Z')
  })

  test('repeats its passes until one finds nothing, and adds what they erased', async () => {
    const { erasure, sleeps } = await run({
      passes: [
        [[found, found], [found]],
        [[], [found]],
      ],
    })
    assert.equal(erasure.state, 'Succeeded')
    assert.deepEqual(sleeps, [1, 1])
    assert.deepEqual(erasure.erased, { ...nothingErased, events: 8, files: 4 })
  })

  test('looks again after an object that another writer changed', async () => {
    const { erasure, sleeps } = await run({ passes: [[[{ isIncomplete: true }]]] })
    assert.deepEqual([erasure.state, sleeps], ['Succeeded', [1]])
  })

  test('fails after five passes that find the address', async () => {
    const { erasure, sleeps } = await run({ passes: Array.from({ length: 9 }, () => [[found]]) })
    assert.deepEqual([erasure.state, sleeps.length], ['Failed', 4])
    assert.match(erasure.reason ?? '', /^The last pass still found the address, because mail of it arrives\./)
  })

  test('fails if mail of the address stays unsettled, and names it', async () => {
    const unsettled = ['1', '2', '3', '4', '5', '6', '']
    const { erasure } = await run({ passes: Array.from({ length: 5 }, () => [[{ unsettled }]]) })
    assert.equal(erasure.state, 'Failed')
    assert.match(
      erasure.reason ?? '',
      /^7 messages with the address are neither delivered nor bounced \(1, 2, 3, 4, 5\)\. Return or drop this mail/,
    )
    const late = await run({ passes: [[[{ unsettled: ['1'] }]], [[{ unsettled: ['1'] }]], [[found]]] })
    assert.equal(late.erasure.state, 'Succeeded')
  })

  test('that has rewritten raw events waits for a seal that may have read them', async () => {
    const isSealing = { until: 3 }
    const { erasure, sleeps } = await run({
      passes: [[[], [found]]],
      hasUnsealedHour: () => isSealing.until-- > 0,
    })
    assert.equal(erasure.state, 'Succeeded')
    assert.equal(sleeps[0], 2)
    const always = await run({ passes: [[[], [found]]], hasUnsealedHour: () => true })
    assert.equal(always.erasure.state, 'Succeeded')
    assert.deepEqual(always.sleeps, [2, 2, 2])
    const notRaw = await run({ passes: [[[found]]], hasUnsealedHour: () => true })
    assert.deepEqual(notRaw.sleeps, [1])
  })

  test('continues in another invocation when its time ends, and runs each part once', async () => {
    const parts = Array.from({ length: 30 }, () => found)
    const { erasure, runs, invocations } = await run({ passes: [[parts, parts]], partMs: minute })
    assert.equal(erasure.state, 'Succeeded')
    assert.equal(erasure.erased.events, 120)
    assert.deepEqual(runs, [
      ...parts.map((_, index) => `0.0.${index}`),
      ...parts.map((_, index) => `0.1.${index}`),
    ])
    assert.ok(invocations >= 4 && invocations <= 7, String(invocations))
  })

  test('does not begin a wait that its time does not permit', async () => {
    const { erasure, sleeps, invocations } = await run({
      passes: [[Array.from({ length: 12 }, () => found)]],
      partMs: minute + 10_000,
    })
    assert.deepEqual([erasure.state, sleeps], ['Succeeded', [1]])
    assert.ok(invocations > 1)
  })

  test('that is killed is repeated from where its invocation began', async () => {
    let parts = 0
    const { erasure, runs } = await run({
      // The second begins when the first is killed at its third part.
      passes: [[[found, found, found]], [[found, found, found], [found]], [[]]],
      dies: () => ++parts === 3,
    })
    assert.equal(erasure.state, 'Succeeded')
    assert.deepEqual(runs, ['0.0.0', '0.0.1', '1.0.0', '1.0.1', '1.0.2', '1.1.0'])
  })

  test('that is killed after it has rewritten raw events still waits for a seal that may have read them', async () => {
    let parts = 0
    const { erasure, sleeps } = await run({
      passes: [[[], [found, found]]],
      dies: () => ++parts === 2,
      hasUnsealedHour: () => true,
    })
    assert.deepEqual([erasure.state, sleeps], ['Succeeded', [2, 2, 2]])
  })

  test('that has ended does nothing when its event arrives twice', async () => {
    const { dependencies, erasure, runs } = await run({ passes: [] })
    await eraseAddress(request, dependencies)
    assert.deepEqual([await dependencies.erasures.load(id), runs], [erasure, []])
  })

  test('without a state is an error', async () => {
    const { dependencies } = await run({ passes: [] })
    await assert.rejects(
      eraseAddress({ ...request, id: '01KF0CVZT0ABCDEFGHJKMNPQRT' }, dependencies),
      /there is no erasure/,
    )
  })
})
