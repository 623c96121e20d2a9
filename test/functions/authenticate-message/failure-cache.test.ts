import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cacheFailures } from '../../../functions/authenticate-message/failure-cache.ts'
import { fakeResolver } from '../../support/dns.ts'

/** A resolver whose queries take the given time. */
function slowResolver(seconds: number) {
  const zone = fakeResolver({
    txt: { 'answers.example': ['v=spf1 -all'] },
    fail: { 'hangs.example': 'ETIMEOUT', 'refuses.example': 'ESERVFAIL' },
  })
  let now = 0
  const resolver = cacheFailures(
    {
      async query(name, type, signal) {
        now += seconds * 1000
        return zone.query(name, type, signal)
      },
    },
    () => now,
  )
  return { resolver, queries: zone.queries, wait: (waited: number) => (now += waited * 1000) }
}

interface Row {
  what: string
  seconds: number
  first: string
  second?: string
  waited?: number
  queries: number
}

const rows: Row[] = [
  { what: 'the name of a query that timed out', seconds: 5, first: 'hangs.example', queries: 1 },
  {
    what: 'the same name in capitals',
    seconds: 5,
    first: 'hangs.example',
    second: 'HANGS.example',
    queries: 1,
  },
  { what: 'a name that failed slowly', seconds: 2, first: 'refuses.example', queries: 1 },
  { what: 'a name that failed at once', seconds: 1, first: 'refuses.example', queries: 2 },
  { what: 'a name that was answered slowly', seconds: 5, first: 'answers.example', queries: 2 },
  {
    what: 'another name below the same domain',
    seconds: 5,
    first: 'hangs.example',
    second: '_dmarc.hangs.example',
    queries: 2,
  },
  { what: 'the name half a minute later', seconds: 5, first: 'hangs.example', waited: 30, queries: 2 },
]

describe('after a query that failed slowly', () => {
  for (const { what, seconds, first, second = first, waited = 0, queries } of rows)
    it(`${queries === 1 ? 'no' : 'a'} query follows for ${what}`, async () => {
      const { resolver, queries: made, wait } = slowResolver(seconds)
      const before = await resolver.query(first, 'TXT')
      wait(waited)
      const answer = await resolver.query(second, 'TXT')
      assert.equal(made.length, queries)
      if (first === second) assert.deepEqual(answer, before)
    })

  it('other types of records are queried', async () => {
    const { resolver, queries } = slowResolver(5)
    await resolver.query('hangs.example', 'TXT')
    await resolver.query('hangs.example', 'A')
    assert.equal(queries.length, 2)
  })
})
