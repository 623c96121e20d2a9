import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import type { SQSRecord } from 'aws-lambda'
import { type Dependencies, recordEvents } from '../../../functions/record-events/record-events.ts'
import { eventId } from '../../../shared/contract/events.ts'
import { parseRawKey } from '../../../shared/events/event-keys.ts'
import { EventAddresses } from '../../../shared/events/hash-addresses.ts'
import { createAddressHash, hashedAddress } from '../../../shared/mail/address-hash.ts'
import { memoryEventStore } from '../../support/event-store.ts'

const event = (number: number, fields: object = {}) => ({
  id: eventId('Delivered', number),
  at: '2026-11-30T20:15:00.000Z',
  kind: 'Delivered',
  messageId: `m${number}`,
  ...fields,
})

const record = (id: string, ...lines: readonly (object | string)[]): SQSRecord =>
  ({
    messageId: id,
    body: lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
    attributes: { ApproximateReceiveCount: '7' },
  }) as SQSRecord

function setUp(overrides: Partial<Dependencies> = {}) {
  const store = memoryEventStore()
  const rejected: unknown[] = []
  const deadLetters: [id: string, reason: string][] = []
  const delayed: string[] = []
  const failing: number[] = []
  const dependencies: Dependencies = {
    store,
    addresses: async () => null,
    rejected: { store: async (events) => void rejected.push(...events) },
    source: {
      delay: async (records) => {
        delayed.push(...records.map(({ messageId }) => messageId))
        return []
      },
      sendToDeadLetters: async ({ messageId }, reason) => void deadLetters.push([messageId, reason]),
    },
    logger: { info: () => {}, error: () => {} },
    countFailing: (count) => void failing.push(count),
    now: () => Date.parse('2026-11-30T21:00:02Z'),
    ...overrides,
  }
  const lines = () =>
    [...store.objects.values()].flatMap((object) => gunzipSync(object).toString().trim().split('\n'))
  const run = (...records: SQSRecord[]) => recordEvents({ Records: records }, dependencies)
  return { store, rejected, deadLetters, delayed, failing, lines, run }
}

const failures = (...ids: string[]) => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })),
})

test('the events of a small batch are one object of the hour in which they are recorded', async () => {
  const { store, lines, run } = setUp()
  assert.deepEqual(await run(record('a', event(1), event(2)), record('b', event(3))), failures())
  const [key = '', ...others] = store.objects.keys()
  assert.deepEqual(others, [])
  assert.match(key, /^raw\/recorded=2026-11-30T21\/shard=mixed\/[0-9A-Z]{26}-\d+\.jsonl\.gz$/)
  assert.equal(parseRawKey(key)?.octets, lines().join('\n').length + 1)
  assert.deepEqual(
    lines().map((line) => JSON.parse(line)),
    [1, 2, 3].map((number) => event(number)),
  )
})

test('a clock that was set back stores no event in an hour before the queue got it', async () => {
  const { store, run } = setUp({ now: () => Date.parse('2026-11-30T18:00:02Z') })
  const sentAt = (time: string, each: SQSRecord) => ({
    ...each,
    attributes: { ...each.attributes, SentTimestamp: String(Date.parse(time)) },
  })
  await run(
    sentAt('2026-11-30T20:59:59Z', record('a', event(1))),
    sentAt('2026-11-30T21:00:01Z', record('b', event(2))),
  )
  assert.match([...store.objects.keys()].join(), /^raw\/recorded=2026-11-30T21\/[^,]+$/)
})

test('lines are stored as they are, with the columns of a later version', async () => {
  const { lines, run } = setUp()
  const line = `{"later": {"a":1},  "kind":"SomethingNew","id":"x","at":"2026-11-30T20:15:00Z", "größe": 1e3}`
  await run(record('a', line))
  assert.deepEqual(lines(), [line])
})

test('a large batch is an object for each shard, and the events of a message are in one', async () => {
  const { store, run } = setUp()
  const filler = 'x'.repeat(2000)
  await run(
    ...Array.from({ length: 1200 }, (_, number) => record(String(number), event(number % 600, { filler }))),
  )
  assert.equal(store.objects.size, 16)
  const shardsOf = new Map<string, Set<unknown>>()
  for (const [key, object] of store.objects)
    for (const line of gunzipSync(object).toString().trim().split('\n')) {
      const { messageId } = JSON.parse(line)
      shardsOf.set(messageId, (shardsOf.get(messageId) ?? new Set()).add(parseRawKey(key)?.shard))
    }
  assert.equal(shardsOf.size, 600)
  for (const shards of shardsOf.values()) assert.equal(shards.size, 1)
})

const unreadable: [what: string, line: string][] = [
  ['no JSON', '{"id":'],
  ['no object', '7'],
  ['null', 'null'],
  ['no id', JSON.stringify(event(1, { id: undefined }))],
  ['a long id', JSON.stringify(event(1, { id: 'x'.repeat(101) }))],
  ['no time', JSON.stringify(event(1, { at: 'yesterday' }))],
  ['a time in a far year', JSON.stringify(event(1, { at: '+012026-01-01T00:00:00Z' }))],
  ['no kind', JSON.stringify(event(1, { kind: 3 }))],
  ['a message id that is no text', JSON.stringify(event(1, { messageId: {} }))],
]
for (const [what, line] of unreadable)
  test(`a message with a line with ${what} is a dead letter, and its other events are stored`, async () => {
    const { deadLetters, lines, run } = setUp()
    assert.deepEqual(await run(record('good', event(2)), record('bad', event(3), line, event(4))), failures())
    assert.deepEqual(deadLetters, [['bad', 'Line 2 of 4 is not an event.']])
    assert.deepEqual(
      lines().map((stored) => JSON.parse(stored).messageId),
      ['m2', 'm3', 'm4'],
    )
  })

test('a dead letter that cannot be sent stays on its queue', async () => {
  const { delayed, run } = setUp({
    source: { delay: async () => [], sendToDeadLetters: () => Promise.reject(new Error('no')) },
  })
  assert.deepEqual(await run(record('good', event(2)), record('bad', 'x')), failures('bad'))
  assert.deepEqual(delayed, [])
})

for (const [what, overrides] of [
  ['the bucket', { store: { put: () => Promise.reject(new Error('no')) } }],
  ['the table', { rejected: { store: () => Promise.reject(new Error('no')) } }],
] as const)
  test(`while ${what} fails, all records are delayed and counted, and none becomes a dead letter`, async () => {
    const { delayed, deadLetters, failing, run } = setUp(overrides)
    assert.deepEqual(await run(record('a', event(1)), record('b', 'x')), failures('a', 'b'))
    assert.deepEqual([delayed, deadLetters, failing], [['a', 'b'], [], [2]])
  })

test('rejected sessions are also stored in the messages table', async () => {
  const { rejected, run } = setUp()
  const session = event(1, { kind: 'Rejected', clientIp: '192.0.2.1' })
  await run(record('a', event(2), session))
  assert.deepEqual(rejected, [session])
})

test('a batch without a readable line writes no object', async () => {
  const { store, run } = setUp()
  assert.deepEqual(await run(record('a', ''), record('b', 'x')), failures())
  assert.equal(store.objects.size, 0)
})

describe('with hashed addresses', () => {
  const key = 'k'.repeat(64)
  const hash = createAddressHash(key)
  const addresses = new EventAddresses(key, [])
  const hashed = (address: string) => hashedAddress(address, hash)
  const bounced = event(1, {
    kind: 'Bounced',
    sender: 'Ann@ours.example',
    senderDomain: 'ours.example',
    recipient: 'bob@partner.example',
    reply: '550 5.1.1 <bob@partner.example>: unknown, says carl@partner.example',
  })

  test('no stored line has a local part, and the other columns stay', async () => {
    const { store, lines, run } = setUp({ addresses: async () => addresses })
    assert.deepEqual(await run(record('a', bounced, event(2))), failures())
    assert.deepEqual(
      lines().map((line) => JSON.parse(line)),
      [
        {
          ...bounced,
          id: addresses.storedIds(bounced.id)[1],
          sender: hashed('ann@ours.example'),
          recipient: hashed('bob@partner.example'),
          reply: `550 5.1.1 <${hashed('bob@partner.example')}>: unknown, says ${hashed('carl@partner.example')}`,
        },
        event(2),
      ],
    )
    const [object = ''] = store.objects.keys()
    assert.equal(parseRawKey(object)?.octets, lines().join('\n').length + 1)
  })

  test('the messages table gets plain refusals', async () => {
    const { rejected, run } = setUp({ addresses: async () => addresses })
    const refusal = { ...bounced, kind: 'Rejected' }
    await run(record('a', refusal))
    assert.deepEqual(rejected, [refusal])
  })

  test('while the key cannot be read, nothing is stored, and all records are retried', async () => {
    const { store, rejected, deadLetters, run } = setUp({
      addresses: () => Promise.reject(new Error('the secret cannot be read')),
    })
    const records = [record('a', { ...bounced, kind: 'Rejected' }), record('b', 'x')]
    assert.deepEqual(await run(...records), failures('a', 'b'))
    assert.deepEqual([store.objects.size, rejected, deadLetters], [0, [], []])
  })
})
