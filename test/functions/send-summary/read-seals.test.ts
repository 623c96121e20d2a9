/** What the markers of seals say about a day. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSeals } from '../../../functions/send-summary/read-seals.ts'
import { sealKey } from '../../../shared/events/event-keys.ts'
import { addHours, hourOf, hoursBetween, startOf } from '../../../shared/events/hours.ts'
import { memoryEventStore } from '../../support/event-store.ts'

const from = startOf('2026-02-03T00')
const to = startOf('2026-02-04T00')

interface Seals {
  first?: string
  last?: string
  /** Shards of an hour; default: one. */
  shards?: Record<string, number>
  without?: string[]
  missing?: Record<string, number>
}

async function stateWith({ first = '2026-02-01T00', last = '2026-02-04T01', ...seals }: Seals) {
  const store = memoryEventStore()
  for (const hour of hoursBetween(first, last)) {
    const shards = seals.shards?.[hour] ?? 1
    for (let shard = 0; shard < shards; shard++) {
      if (seals.without?.includes(`${hour} ${shard}`)) continue
      const missing = seals.missing?.[hour]
      const reconciliation = {
        recipients: 9,
        open: 0,
        missing: missing ? { Delivered: missing } : {},
        samples: [],
      }
      const counts = { events: 9, byKind: {}, duplicates: 0, late: 0, reconciliation }
      const marker = { schemaVersion: 2, softwareVersion: '1', hour, shard, shards, ...counts }
      await store.put(sealKey(hour, { shard, shards }), Buffer.from(JSON.stringify(marker)))
    }
  }
  const { unsealedFrom, missing } = await readSeals(store, from, to)
  return [unsealedFrom === null ? null : hourOf(unsealedFrom), missing]
}

const cases: [what: string, seals: Seals, state: [string | null, number]][] = [
  ['of which each hour is sealed', {}, [null, 0]],
  [
    'with an hour that is not sealed',
    { without: ['2026-02-03T05 0', '2026-02-03T09 0'] },
    ['2026-02-03T05', 0],
  ],
  [
    'with an hour of which a shard is not sealed',
    { shards: { '2026-02-03T07': 4 }, without: ['2026-02-03T07 2'] },
    ['2026-02-03T07', 0],
  ],
  ['with an hour of several shards', { shards: { '2026-02-03T07': 4 } }, [null, 0]],
  ['that has not ended', { last: '2026-02-03T10' }, ['2026-02-03T11', 0]],
  ['before and after an unsealed hour', { without: ['2026-02-02T23 0', '2026-02-04T00 0'] }, [null, 0]],
  ['in which the deployment was made', { first: '2026-02-03T13' }, [null, 0]],
  ['without a seal', { first: '2026-02-04T01', last: '2026-02-04T00' }, ['2026-02-03T00', 0]],
  [
    'whose seals missed events',
    { missing: { '2026-02-03T02': 2, '2026-02-04T01': 1, '2026-02-03T01': 9, '2026-02-04T02': 9 } },
    [null, 3],
  ],
]
for (const [what, seals, state] of cases)
  test(`a day ${what}`, async () => assert.deepEqual(await stateWith(seals), state))

test('a week is sealed if its seven days are', async () => {
  const store = memoryEventStore()
  const week = addHours('2026-02-04T00', -7 * 24)
  assert.equal((await readSeals(store, startOf(week), to)).unsealedFrom, startOf(week))
})
