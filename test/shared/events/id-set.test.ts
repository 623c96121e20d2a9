import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventId } from '../../../shared/contract/events.ts'
import { IdSet } from '../../../shared/events/id-set.ts'

const ids = Array.from({ length: 5000 }, (_, number) => eventId('Delivered', number))

test('a set has exactly the ids that were added, also after it has grown', () => {
  const set = new IdSet(1)
  assert.ok(ids.every((id) => set.add(id)))
  assert.ok(ids.every((id) => !set.add(id)))
  assert.equal(set.size, ids.length)
  assert.ok(ids.every((id) => set.has(id)))
  assert.ok(!ids.some((id) => set.has(`${id.slice(0, -2)}${id.endsWith('AA') ? 'Bg' : 'AA'}`)))
})

test('the octets of a set hold its ids, 16 octets each, in the order in which they were added', () => {
  const set = new IdSet()
  for (const id of ids) set.add(id)
  const octets = set.toBuffer()
  assert.equal(octets.length, 16 * ids.length)
  assert.deepEqual(octets.subarray(0, 16), Buffer.from(ids[0] as string, 'base64url'))
  const read = IdSet.from(octets)
  assert.deepEqual(read.toBuffer(), octets)
  assert.ok(ids.every((id) => read.has(id)))
})

test('ids of other forms are told apart, such as ULIDs and texts of the same length as a derived id', () => {
  const others = [
    '01KB0000000000000000000001',
    '01KB0000000000000000000002',
    'x',
    '',
    '!'.repeat(22),
    '?'.repeat(22),
  ]
  const set = new IdSet()
  for (const id of others) assert.ok(set.add(id), id)
  for (const id of others) assert.ok(set.has(id), id)
  assert.ok(!set.has('01KB0000000000000000000003'))
})
