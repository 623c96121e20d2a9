import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { eraserInEvents } from '../../../functions/erase-address/addresses-in-events.ts'
import { objectSteps } from '../../../functions/erase-address/objects-step.ts'
import type { Part } from '../../../functions/erase-address/step.ts'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { DayRollups } from '../../../shared/events/day-rollups.ts'
import { EventAddresses } from '../../../shared/events/hash-addresses.ts'
import { createAddressHash, mailboxOf } from '../../../shared/mail/address-hash.ts'
import { ErasedAddress } from '../../../shared/mail/erased-address.ts'
import { memoryEventStore } from '../../support/event-store.ts'
import { Random } from '../../support/random.ts'
import { sampleEvents } from '../../support/sample-events.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const pseudonym = 'erased-1a2b3c4d@ours.example'
const address = new ErasedAddress({ localPart: 'ann', domain: 'ours.example' }, 'erased-1a2b3c4d')
const hour = '2026-11-30T20'
const start = Date.parse(`${hour}:00:00Z`)
/** Twenty days later. */
const now = start + 20 * 86_400_000

const events: MailEvent[] = [...sampleEvents(60, new Random(5), { from: start, to: start + 3_000_000 })]
const withAddress: MailEvent[] = [
  { ...(events[0] as MailEvent), sender: 'Ann@ours.example' },
  { ...(events[4] as MailEvent), recipient: 'ann@ours.example' },
  {
    id: '01KB0000000000000000000042',
    at: new Date(start + 5000).toISOString(),
    kind: 'Rejected',
    stage: 'Mail',
    helo: 'ann@ours.example',
    reply: '550 5.7.1 <ann@ours.example> refused',
    actor: 'ann@ours.example',
    softwareVersion: '1',
  },
]
const all = [...events.filter((_, index) => index !== 0 && index !== 4), ...withAddress]
const changed = (list: readonly MailEvent[]) =>
  JSON.stringify(list).replaceAll(/(?<!"actor":")ann@ours\.example/gi, pseudonym)

let sealed: SealedEvents
beforeEach(async () => {
  sealed = new SealedEvents({}, memoryEventStore())
  await sealed.record(hour, all)
  await sealed.seal(hour)
  await new DayRollups(sealed.store).store('2026-11-30')
  const { objects } = sealed.store
  const sample = { kind: 'Delivered', messageId: 'm', recipient: 'ann@ours.example' }
  objects.set(`seals/recorded=${hour}/shard=00of01.json`, Buffer.from(JSON.stringify({ samples: [sample] })))
  objects.set('searches/found.csv', Buffer.from('"sender"\r\n"ann@ours.example"\r\n'))
  objects.set('searches/found.csv.metadata', Buffer.from('columns'))
  objects.set('searches/other.csv', Buffer.from('"sender"\r\n"joann@ours.example"\r\n'))
  objects.set('searches/dry-run-1.json', Buffer.from('{"reason":"ann@ours.example"}'))
  objects.set('raw/recorded=2026-11-30T21/shard=mixed/0-100.jsonl.gz', gzipSync(JSON.stringify(events[7])))
})

const steps = () => objectSteps(address, { store: sealed.store, retentionDays: 90, now: () => now })

/** Runs all steps. @returns the sums of what they erased */
async function run(after: unknown = null) {
  const parts: Part[] = []
  for (const step of steps()) for await (const part of step.run(after)) parts.push(part)
  const erased: Record<string, number> = {}
  for (const part of parts)
    for (const [name, count] of Object.entries(part.erased)) erased[name] = (erased[name] ?? 0) + count
  return { erased, isIncomplete: parts.some(({ isIncomplete }) => isIncomplete), parts }
}

const textOf = (key: string): string => {
  const octets = sealed.store.objects.get(key) as Buffer
  return (key.endsWith('.gz') ? gunzipSync(octets) : octets).toString()
}
const keys = (prefix: string) =>
  [...sealed.store.objects.keys()].filter((key) => key.startsWith(prefix)).sort()

describe('the objects of the events bucket', () => {
  test('have the pseudonym in place of the address, and the same events', async () => {
    const { erased, isIncomplete } = await run()
    assert.equal(isIncomplete, false)
    // Each of three events is in a raw object and in a Parquet file. Rewritten are these, a rollup and a marker; the
    // rollup of the day is deleted.
    assert.deepEqual(erased, { events: 6, files: 5, searches: 2 })
    const raw = keys('raw/').flatMap((key) => textOf(key).split('\n').filter(Boolean))
    assert.equal(`[${raw.slice(0, -1).join(',')}]`, changed(all))
    const rows = await sealed.rows()
    const texts = rows.map(({ id, sender, recipient, helo, reply, actor }) => [
      id,
      sender,
      recipient,
      helo,
      reply,
      actor,
    ])
    assert.equal(JSON.stringify(texts).match(/erased-1a2b3c4d@ours\.example/g)?.length, 4)
    assert.equal(JSON.stringify(texts).match(/ann@ours\.example/gi)?.length, 1, 'the administrator stays')
    assert.deepEqual(sealed.countsByKind(), { Accepted: 20, Decided: 20, Delivered: 20, Rejected: 1 })
    assert.equal(sealed.rollups()[0]?.rows.find(({ kind }) => kind === 'Rejected')?.helo, pseudonym)
    assert.deepEqual(keys('searches/'), ['searches/other.csv'])
    assert.ok(textOf(`seals/recorded=${hour}/shard=00of01.json`).includes(pseudonym))
    assert.deepEqual(
      (await new DayRollups(sealed.store).read('2026-11-30', '9999')).map(({ events: count }) => count),
      sealed.rollups()[0]?.rows.map(({ events: count }) => count),
    )
  })

  test('are deleted if they are results of searches with a quoted local part', async () => {
    const quoted = new ErasedAddress({ localPart: '"a b"', domain: 'ours.example' }, 'erased-1a2b3c4d')
    const text = 'to "a b"@ours.example'
    sealed.store.objects.set('searches/found.csv', Buffer.from(`"${text.replaceAll('"', '""')}"\r\n`))
    sealed.store.objects.set('searches/dry-run-1.json', Buffer.from(JSON.stringify({ comment: text })))
    const dependencies = { store: sealed.store, retentionDays: 90, now: () => now }
    for (const step of objectSteps(quoted, dependencies)) await Array.fromAsync(step.run(null))
    assert.deepEqual(keys('searches/'), ['searches/other.csv'])
  })

  test('are not touched again in a second run', async () => {
    await run()
    sealed.store.puts.length = 0
    assert.deepEqual((await run()).erased, {})
    assert.deepEqual(sealed.store.puts, [])
  })

  test('keep the age of their events, by a tag', async () => {
    await run()
    // 70 of 90 days are left: seven eighths.
    assert.deepEqual([...new Set(sealed.store.tags.values())], ['kept=7'])
    assert.deepEqual([...sealed.store.tags.keys()].map((key) => key.split('/')[0]).sort(), [
      'parquet',
      'raw',
      'rollups',
      'seals',
    ])
  })

  test('that another writer changes meanwhile are left for the next pass', async () => {
    const [key = ''] = keys('parquet/')
    const other = Buffer.from(sealed.store.objects.get(key) as Buffer)
    other[other.length - 1] = 0
    sealed.store.before = async (put) => {
      if (put === key) sealed.store.objects.set(key, other)
    }
    const { erased, isIncomplete } = await run()
    assert.equal(isIncomplete, true)
    assert.equal(erased.events, 3)
    assert.deepEqual(sealed.store.objects.get(key), other)
  })

  test('that expire meanwhile are no failure', async () => {
    const [key = ''] = keys('parquet/')
    const { get } = sealed.store
    sealed.store.get = async (each, range) => {
      if (each === key) sealed.store.objects.delete(key)
      return get(each, range)
    }
    assert.equal((await run()).erased.events, 3)
  })

  test('before the position of an earlier invocation are not read', async () => {
    const [raw] = steps()
    const parts: Part[] = []
    for await (const part of raw?.run('raw/recorded=2026-11-30T20/x') ?? []) parts.push(part)
    assert.deepEqual(parts, [
      { after: 'raw/recorded=2026-11-30T21/shard=mixed/0-100.jsonl.gz', erased: {}, isIncomplete: false },
    ])
  })
})

test('an address is erased where it is hashed, and where it is plain from before', async () => {
  const key = 'k'.repeat(64)
  const hash = createAddressHash(key)
  const mailbox = mailboxOf('ann@ours.example')
  const addresses = new EventAddresses(key, [])
  const hashedEvents = new SealedEvents({ addresses: async () => addresses }, memoryEventStore())
  await hashedEvents.record(
    hour,
    withAddress.map((event) => addresses.hashIn(event)),
  )
  const later = '2026-11-30T21'
  await hashedEvents.record(later, [{ ...(events[8] as MailEvent), sender: 'ann@ours.example' }])
  await hashedEvents.seal(hour)
  await hashedEvents.seal(later)
  const { store } = hashedEvents
  store.objects.set('searches/found.csv', Buffer.from(`"${hash(mailbox)}@ours.example"`))
  const texts = async () => {
    const raw = [...store.objects].filter(([key]) => key.startsWith('raw/'))
    const stored = [...raw.map(([, octets]) => gunzipSync(octets).toString()), await hashedEvents.rows()]
    return stored.map((each) => JSON.stringify(each).replaceAll(/actor\\*":\\*"ann@/g, ''))
  }
  const isFound = (text: string) => /ann@/i.test(text) || text.includes(hash(mailbox))
  assert.deepEqual((await texts()).map(isFound), [true, true, true])
  const eraser = eraserInEvents(address, mailbox, hash)
  for (const step of objectSteps(eraser, { store, retentionDays: 90, now: () => now }))
    for await (const _ of step.run(null));
  assert.deepEqual((await texts()).map(isFound), [false, false, false])
  assert.ok(!store.objects.has('searches/found.csv'))
  const rows = await hashedEvents.rows()
  assert.equal(JSON.stringify(rows).match(/"erased-1a2b3c4d@ours\.example"/g)?.length, 4)
})
