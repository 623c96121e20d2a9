import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BoundedMap } from '../../../../functions/smtp-ingress/limits/bounded-map.ts'

describe('a bounded map', () => {
  const key = fc.integer({ min: 0, max: 30 }).map(String)

  it('keeps the most recently used keys up to half of maxKeys, and never more than maxKeys', () => {
    fc.assert(
      fc.property(fc.array(key), fc.integer({ min: 2, max: 20 }), (requestedKeys, maxKeys) => {
        const memory = new BoundedMap<{ key: string }>({ maxKeys })
        const createdKeys: string[] = []
        for (const key of requestedKeys) {
          const value = memory.getOrCreate(key, () => {
            createdKeys.push(key)
            return { key }
          })
          assert.equal(value.key, key)
          const keys = [...memory.entries()].map(([key]) => key)
          assert.ok(keys.length <= maxKeys)
          assert.equal(new Set(keys).size, memory.size)
        }
        const recentKeys = [...new Set(requestedKeys.toReversed())].slice(0, Math.floor(maxKeys / 2))
        const createdCount = createdKeys.length
        for (const key of recentKeys.toReversed()) assert.equal(memory.get(key)?.key, key)
        assert.equal(createdKeys.length, createdCount)
      }),
    )
  })

  it('no longer has a key after delete, whether the key was recently used or not', () => {
    const memory = new BoundedMap<object>({ maxKeys: 4 })
    for (const key of ['a', 'b', 'c']) memory.set(key, {})
    memory.delete('a')
    memory.delete('c')
    assert.deepEqual(
      [...memory.entries()].map(([key]) => key),
      ['b'],
    )
    assert.equal(memory.size, 1)
  })

  it('forgets a key that was not used for maxAgeMs, at the latest after twice maxAgeMs', () => {
    let now = 0
    const memory = new BoundedMap<object>({ maxKeys: 10, maxAgeMs: 60, now: () => now })
    memory.set('early', {})
    now = 59
    memory.set('late', {})
    const storedKeys = () => [...memory.entries()].map(([key]) => key)
    now = 60
    assert.ok(memory.get('late'))
    assert.deepEqual(storedKeys(), ['late', 'early'])
    now = 119
    assert.equal(memory.get('none'), undefined)
    assert.deepEqual(storedKeys(), ['late', 'early'])
    now = 120
    assert.equal(memory.get('early'), undefined)
    assert.deepEqual(storedKeys(), ['late'])
  })

  it('calls the function of getOrCreate once for a key', () => {
    const memory = new BoundedMap<{ serial: number }>({ maxKeys: 10 })
    let count = 0
    const create = () => ({ serial: ++count })
    assert.equal(memory.get('a'), undefined)
    assert.equal(memory.getOrCreate('a', create), memory.getOrCreate('a', create))
    assert.equal(count, 1)
  })

  it('with maxKeys 1000 keeps at most 1000 of a million keys', () => {
    const memory = new BoundedMap<object>({ maxKeys: 1000 })
    for (let key = 0; key < 1_000_000; key++) memory.getOrCreate(`${key}`, () => ({}))
    assert.ok([...memory.entries()].length <= 1000)
  })
})
