import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messageLookup } from '../../../shared/authentication/message-lookup.ts'
import type { Resolver } from '../../../shared/net/resolver.ts'
import { fakeResolver, silentResolver } from '../../support/dns.ts'

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: { code: string }) => error.code,
  )

describe('a query for a message', () => {
  it('is sent once', async () => {
    const resolver = fakeResolver({ txt: { 'p.example': ['a'] } })
    const { lookup } = messageLookup(resolver, 1_000)
    assert.deepEqual([await lookup('p.example', 'TXT'), await lookup('P.example', 'TXT')], [[['a']], [['a']]])
    assert.equal(resolver.queries.length, 1)
  })
  it('fails after the time limit of all together, and later ones at once', async () => {
    const { lookup, hasFailed } = messageLookup(silentResolver, 5)
    assert.deepEqual(await Promise.all(['a', 'b'].map((name) => codeOf(lookup(name, 'TXT')))), [
      'ETIMEOUT',
      'ETIMEOUT',
    ])
    assert.equal(await codeOf(lookup('c', 'TXT')), 'ETIMEOUT')
    assert.deepEqual(['a', 'c', 'd'].map(hasFailed), [true, true, false])
  })
  it('that fails is not one without records', async () => {
    const { lookup, hasFailed } = messageLookup(fakeResolver({ fail: { a: 'ESERVFAIL' } }), 1_000)
    assert.deepEqual(await Promise.all(['a', 'b'].map((name) => codeOf(lookup(name, 'A')))), [
      'ESERVFAIL',
      'ENOTFOUND',
    ])
    assert.deepEqual(['a', 'b'].map(hasFailed), [true, false])
  })
  it('does not use the time of the work between queries', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const slow: Resolver = {
      query: async () => {
        await new Promise((resolve) => setTimeout(resolve, 4_000))
        return { kind: 'NoData', secure: false }
      },
    }
    const { lookup } = messageLookup(slow, 5_000)
    const query = (name: string) => {
      const answer = codeOf(lookup(name, 'A'))
      t.mock.timers.tick(4_000)
      return answer
    }
    assert.equal(await query('a'), 'ENODATA')
    t.mock.timers.tick(60_000)
    assert.equal(await query('b'), 'ENODATA')
  })
})
