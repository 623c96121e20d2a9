import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { BoundedMemory } from '../../../../functions/smtp-ingress/limits/rates-memory.ts'

describe('a bounded memory', () => {
  const key = fc.integer({ min: 0, max: 30 }).map(String)

  it('knows the half of its keys that was asked for last, and no more than all', () => {
    fc.assert(
      fc.property(fc.array(key), fc.integer({ min: 2, max: 20 }), (asked, most) => {
        const memory = new BoundedMemory<{ key: string }>(most)
        const made: string[] = []
        for (const key of asked) {
          const value = memory.getOrMake(key, () => {
            made.push(key)
            return { key }
          })
          assert.equal(value.key, key)
          assert.ok(new Set([...memory.entries()].map(([key]) => key)).size <= most)
        }
        const lately = [...new Set(asked.toReversed())].slice(0, Math.floor(most / 2))
        const before = made.length
        for (const key of lately.toReversed()) assert.equal(memory.get(key)?.key, key)
        assert.equal(made.length, before)
      }),
    )
  })

  it('makes what it does not know, once', () => {
    const memory = new BoundedMemory<{ made: number }>(10)
    let made = 0
    const make = () => ({ made: ++made })
    assert.equal(memory.get('a'), undefined)
    assert.equal(memory.getOrMake('a', make), memory.getOrMake('a', make))
    assert.equal(made, 1)
  })

  it('takes a million keys as it takes a few', () => {
    const memory = new BoundedMemory<object>(1000)
    for (let key = 0; key < 1_000_000; key++) memory.getOrMake(`${key}`, () => ({}))
    assert.ok([...memory.entries()].length <= 1000)
  })
})
