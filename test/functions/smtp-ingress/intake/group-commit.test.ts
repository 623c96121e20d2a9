import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WaitingBatch } from '../../../../functions/smtp-ingress/intake/commit-wait.ts'
import {
  GroupCommit,
  type GroupCommitOptions,
} from '../../../../functions/smtp-ingress/intake/group-commit.ts'

/** Waits only during a write. */
const waitMs =
  (duringWriteMs: number) =>
  ({ waitedMs, isWriting }: WaitingBatch) =>
    isWriting ? duringWriteMs - waitedMs : 0

/** Writes that the test completes one by one. */
function controlledCommits(options: Partial<GroupCommitOptions<string>> = {}) {
  const batches: string[][] = []
  const pendingWrites: ((failures: (Error | null)[]) => void)[] = []
  const commits = new GroupCommit<string>({
    write: (batch) => {
      batches.push([...batch])
      return new Promise((resolve) => pendingWrites.push(resolve))
    },
    sizeOf: (item) => item.length,
    maxBatchOctets: 1000,
    maxBatchItems: 100,
    waitMs: waitMs(1),
    maxConcurrentWrites: 1,
    ...options,
  })
  const finishWrite = () => pendingWrites.shift()?.(batches.at(-1)?.map(() => null) ?? [])
  return { commits, batches, finishWrite }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('an idle group commit writes all items of one event loop turn together', async () => {
  const { commits, batches } = controlledCommits()
  void commits.commit('a')
  void commits.commit('b')
  assert.deepEqual(batches, [])
  await nextTurn()
  assert.deepEqual(batches, [['a', 'b']])
})

test('a group commit writes the items that arrive during a write together in the next batch', async () => {
  const { commits, batches, finishWrite } = controlledCommits()
  const first = commits.commit('a')
  await nextTurn()
  const laterCommits = ['b', 'c', 'd'].map((item) => commits.commit(item))
  finishWrite()
  await first
  finishWrite()
  await Promise.all(laterCommits)
  assert.deepEqual(batches, [['a'], ['b', 'c', 'd']])
})

test('a group commit writes a second batch during the first when an item has waited long enough', async () => {
  const { commits, batches, finishWrite } = controlledCommits({ maxConcurrentWrites: 2, waitMs: waitMs(0) })
  const first = commits.commit('a')
  await nextTurn()
  const second = commits.commit('b')
  while (batches.length < 2) await nextTurn()
  assert.deepEqual(batches, [['a'], ['b']])
  finishWrite()
  finishWrite()
  await Promise.all([first, second])
})

const limits: [name: string, options: Partial<GroupCommitOptions<string>>, batches: string[][]][] = [
  ['items', { maxBatchItems: 2 }, [['aaa', 'bbb'], ['ccc', 'ddd'], ['eee']]],
  ['octets', { maxBatchOctets: 7 }, [['aaa', 'bbb'], ['ccc', 'ddd'], ['eee']]],
  [
    'octets, which an item alone in its batch may exceed',
    { maxBatchOctets: 2 },
    [['aaa'], ['bbb'], ['ccc'], ['ddd'], ['eee']],
  ],
]

for (const [name, options, expected] of limits)
  test(`a batch of a group commit has a maximum of ${name}`, async () => {
    const { commits, batches, finishWrite } = controlledCommits(options)
    const all = Promise.all(['aaa', 'bbb', 'ccc', 'ddd', 'eee'].map((item) => commits.commit(item)))
    while (batches.flat().length < 5) {
      await nextTurn()
      finishWrite()
    }
    finishWrite()
    await all
    assert.deepEqual(batches, expected)
  })

test('a group commit does not count the octets of a written batch for the next batch', async () => {
  const { commits, batches, finishWrite } = controlledCommits({ maxBatchOctets: 7 })
  const first = [commits.commit('aaa'), commits.commit('bbb')]
  await nextTurn()
  finishWrite()
  await Promise.all(first)
  for (const item of ['c', 'd']) void commits.commit(item)
  await nextTurn()
  assert.deepEqual(batches, [
    ['aaa', 'bbb'],
    ['c', 'd'],
  ])
})

test('during a write, a group commit divides waiting items into batches of groupSize and the remaining items', async () => {
  const { commits, batches, finishWrite } = controlledCommits({
    maxConcurrentWrites: 9,
    waitMs: waitMs(0),
    groupSize: 3,
  })
  const all = [commits.commit('a')]
  await nextTurn()
  for (const item of ['b', 'c', 'd', 'e', 'f']) all.push(commits.commit(item))
  while (batches.length < 3) await nextTurn()
  assert.deepEqual(batches, [['a'], ['b', 'c', 'd'], ['e', 'f']])
  for (const _ of batches) finishWrite()
  await Promise.all(all)
})

test('an idle group commit writes one batch of more items than groupSize', async () => {
  const { commits, batches } = controlledCommits({ groupSize: 3 })
  for (const item of ['a', 'b', 'c', 'd']) void commits.commit(item)
  await nextTurn()
  assert.deepEqual(batches, [['a', 'b', 'c', 'd']])
})

test('a group commit writes a waiting item only after its wait or the end of all writes', async () => {
  const { commits, batches, finishWrite } = controlledCommits({
    maxConcurrentWrites: 2,
    waitMs: waitMs(60_000),
    maxBatchItems: 2,
  })
  void commits.commit('a')
  await nextTurn()
  for (const item of ['b', 'c']) void commits.commit(item)
  void commits.commit('d')
  finishWrite()
  await nextTurn()
  assert.deepEqual(batches, [['a'], ['b', 'c']])
  finishWrite()
  await nextTurn()
  assert.deepEqual(batches.at(-1), ['d'])
})

test('each arrival decides again whether the batch waits, from the arrival of its first item', async () => {
  const clock = { now: 0 }
  const waits = [60_000, 60_000, 30, 0]
  const decisions: WaitingBatch[] = []
  const { commits, batches } = controlledCommits({
    maxConcurrentWrites: 2,
    now: () => clock.now,
    waitMs: (batch) => {
      decisions.push(batch)
      return (waits[decisions.length - 1] ?? 0) - batch.waitedMs
    },
  })
  for (const item of ['a', 'b']) {
    void commits.commit(item)
    await nextTurn()
  }
  assert.deepEqual(batches, [])
  clock.now = 30
  void commits.commit('c')
  await nextTurn()
  assert.deepEqual(batches, [['a', 'b', 'c']])
  void commits.commit('d')
  await nextTurn()
  assert.deepEqual(batches.at(-1), ['d'])
  assert.deepEqual(
    decisions.map(({ items, waitedMs, isWriting }) => [items, waitedMs, isWriting]),
    [
      [1, 0, false],
      [2, 0, false],
      [3, 30, false],
      [1, 0, true],
    ],
  )
})

test('items that remain for the next batch wait from their own arrival', async () => {
  const clock = { now: 0 }
  const { commits, batches, finishWrite } = controlledCommits({
    maxConcurrentWrites: 9,
    groupSize: 2,
    now: () => clock.now,
    waitMs: waitMs(100),
  })
  void commits.commit('a')
  await nextTurn()
  for (const item of ['b', 'c', 'd']) {
    clock.now += 50
    void commits.commit(item)
  }
  await nextTurn()
  assert.deepEqual(batches, [['a'], ['b', 'c']])
  clock.now += 100
  void commits.commit('e')
  await nextTurn()
  assert.deepEqual(batches.at(-1), ['d', 'e'])
  finishWrite()
})

test('a group commit rejects only the item for which write returns an error', async () => {
  const commits = new GroupCommit<string>({
    write: async (batch) => batch.map((item) => (item === 'bad' ? new Error('not this one') : null)),
    sizeOf: () => 1,
    maxBatchOctets: 100,
    maxBatchItems: 100,
    waitMs: waitMs(1),
    maxConcurrentWrites: 1,
  })
  const outcomes = await Promise.allSettled(['a', 'bad', 'b'].map((item) => commits.commit(item)))
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

test('a write that throws rejects all items of its batch and no item of the next batch of a group commit', async () => {
  let writes = 0
  const commits = new GroupCommit<string>({
    write: async (batch) => {
      if (++writes === 1) throw new Error('away')
      return batch.map(() => null)
    },
    sizeOf: () => 1,
    maxBatchOctets: 100,
    maxBatchItems: 2,
    waitMs: waitMs(1),
    maxConcurrentWrites: 1,
  })
  const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((item) => commits.commit(item)))
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  )
})

const bounds = fc.record({
  octets: fc.integer({ min: 1, max: 30 }),
  items: fc.integer({ min: 1, max: 8 }),
  writes: fc.integer({ min: 1, max: 4 }),
  group: fc.integer({ min: 1, max: 5 }),
  waitMs: fc.constantFrom(0, 1),
})
/** Octets of an item, and event loop turns before it arrives. */
const arrivals = fc.array(fc.tuple(fc.nat(20), fc.nat(2)), { maxLength: 40 })
/** Turns that each write takes, in rotation; a write may fail. */
const writes = fc.array(fc.record({ turns: fc.nat(4), fails: fc.boolean() }), { minLength: 1, maxLength: 5 })

test('a group commit writes each item once, in order and within its limits, and returns the outcome of each item', async () => {
  await fc.assert(
    fc.asyncProperty(bounds, arrivals, writes, async (bounds, arrivals, writes) => {
      const writtenSerials: number[] = []
      const failedSerials = new Set<number>()
      let [batches, activeWrites] = [0, 0]
      const commits = new GroupCommit<{ serial: number; octets: number }>({
        maxBatchOctets: bounds.octets,
        maxBatchItems: bounds.items,
        maxConcurrentWrites: bounds.writes,
        groupSize: bounds.group,
        waitMs: waitMs(bounds.waitMs),
        sizeOf: ({ octets }) => octets,
        async write(batch) {
          const octets = batch.reduce((sum, item) => sum + item.octets, 0)
          assert.ok(batch.length > 0 && batch.length <= bounds.items)
          assert.ok(batch.length === 1 || octets <= bounds.octets)
          assert.ok(++activeWrites <= bounds.writes)
          writtenSerials.push(...batch.map(({ serial }) => serial))
          const { turns = 0, fails = false } = writes[batches++ % writes.length] ?? {}
          for (let count = 0; count < turns; count++) await nextTurn()
          activeWrites--
          if (!fails) return batch.map(() => null)
          for (const { serial } of batch) failedSerials.add(serial)
          throw new Error('away')
        },
      })
      const outcomes: Promise<boolean>[] = []
      for (const [serial, [octets, turns]] of arrivals.entries()) {
        for (let count = 0; count < turns; count++) await nextTurn()
        outcomes.push(
          commits.commit({ serial, octets }).then(
            () => true,
            () => false,
          ),
        )
      }
      assert.deepEqual(
        await Promise.all(outcomes),
        arrivals.map((_, serial) => !failedSerials.has(serial)),
      )
      assert.deepEqual(writtenSerials, [...arrivals.keys()])
    }),
    { numRuns: 100 },
  )
})
