import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentKey } from '../../../shared/content/content-key.ts'
import { newUlid } from '../../../shared/content/ulid.ts'

test('the key of an id is always the same, and names kind, digits of a hash, and id', () => {
  const id = '01KF0CVZT0ABCDEFGHJKMNPQRS'
  assert.equal(contentKey('segments', id), contentKey('segments', id))
  assert.match(contentKey('dsn', id), new RegExp(`^dsn/[0-9a-f]{2}/${id}$`))
})

test('ids of one moment spread over all 256 prefixes', () => {
  const counts = new Map<string, number>()
  for (let count = 0; count < 25_600; count++) {
    const prefix = contentKey('segments', newUlid()).slice(0, 'segments/00/'.length)
    counts.set(prefix, (counts.get(prefix) ?? 0) + 1)
  }
  assert.equal(counts.size, 256)
  // 100 each on average, with a standard deviation of 10.
  assert.ok(Math.max(...counts.values()) < 200)
})
