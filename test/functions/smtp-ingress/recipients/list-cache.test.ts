import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HashSet } from '../../../../functions/smtp-ingress/recipients/hash-set.ts'
import { ListCache } from '../../../../functions/smtp-ingress/recipients/list-cache.ts'

const [earlier, later] = ['01KGH3Z9A0V4RRFFQ69G5FAVXX', '01KGH3Z9A1V4RRFFQ69G5FAVXX']

async function* listOf(...parts: readonly (readonly string[])[]) {
  yield* parts
}

/** A cache over lists by version; an Error stands for a table that fails. */
function cacheOf(lists: Record<string, readonly string[] | Error>, maxRecipients?: number) {
  const reads: string[] = []
  const logged: string[] = []
  const clock = { now: 0 }
  const source = {
    async *read(domain: string, version: string) {
      reads.push(`${domain} ${version}`)
      const list = lists[version] ?? []
      if (list instanceof Error) throw list
      yield list
    },
  }
  const log = (_level: string, message: string) => void logged.push(message)
  return { cache: new ListCache(source, log, () => clock.now, maxRecipients), reads, logged, clock, lists }
}

test('a set has the texts of all parts and no other', async () => {
  const names = Array.from({ length: 2500 }, (_, n) => `name${n}`)
  const set = await HashSet.from(listOf(names.slice(0, 1200), [], names.slice(1200)))
  assert.equal(set.size, 2500)
  assert.ok(names.every((name) => set.has(name)))
  assert.ok(names.every((name) => !set.has(`${name}x`)))
  assert.equal((await HashSet.from(listOf())).has(''), false)
})

test('sessions that need a list at the same time share one read, and later ones need none', async () => {
  const { cache, reads } = cacheOf({ [earlier]: ['anna'] })
  const sets = await Promise.all(Array.from({ length: 50 }, () => cache.get('ours.example', earlier)))
  assert.ok(sets.every((set) => set?.has('anna')))
  assert.ok(!(cache.get('ours.example', earlier) instanceof Promise))
  assert.equal(reads.length, 1)
})

test('a new version is read once, and a session with the earlier version uses the new list', async () => {
  const { cache, reads } = cacheOf({ [earlier]: ['anna'], [later]: ['bert'] })
  await cache.get('ours.example', earlier)
  assert.ok((await cache.get('ours.example', later))?.has('bert'))
  assert.ok((await cache.get('ours.example', earlier))?.has('bert'))
  assert.deepEqual(reads, [`ours.example ${earlier}`, `ours.example ${later}`])
})

test('a list that cannot be read is logged, and read again after five seconds', async () => {
  const { cache, reads, logged, clock, lists } = cacheOf({ [earlier]: new Error('throttled') })
  assert.equal(await cache.get('ours.example', earlier), null)
  assert.equal(await cache.get('ours.example', earlier), null)
  assert.deepEqual([reads.length, logged.length], [1, 1])
  lists[earlier] = ['anna']
  clock.now += 5_000
  assert.ok((await cache.get('ours.example', earlier))?.has('anna'))
})

test('beyond the limit of recipients, the list that was not used for longest is removed', async () => {
  const { cache, reads } = cacheOf({ [earlier]: ['anna', 'bert'] }, 4)
  for (const domain of ['a.example', 'b.example', 'a.example', 'c.example', 'a.example', 'b.example'])
    await cache.get(domain, earlier)
  assert.deepEqual(
    reads.map((read) => read[0]),
    ['a', 'b', 'c', 'b'],
  )
})
