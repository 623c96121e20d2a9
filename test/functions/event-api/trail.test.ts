/** The events of one message, from sealed and unsealed hours. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeTime } from 'ulid'
import { sealHours } from '../../../functions/seal-hour/seal-hours.ts'
import { eventId, type MailEvent } from '../../../shared/contract/events.ts'
import { addHours, hoursBetween, startOf } from '../../../shared/events/hours.ts'
import { createTestEventApi } from '../../support/event-api.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const received = '2026-11-28T10'
const now = () => startOf('2026-11-30T21') + 30 * 60_000
const idAt = (hour: string, suffix = 'A') =>
  `${encodeTime(startOf(hour) + 1000, 10)}${suffix.padEnd(16, '0')}`
const id = idAt(received)

const event = (
  kind: MailEvent['kind'],
  hour: string,
  fields: Partial<MailEvent> = {},
): Partial<MailEvent> => {
  const { messageId = id, recipient = '' } = fields
  return {
    id: eventId(kind, messageId, recipient, hour),
    at: `${hour}:10:00.000Z`,
    kind,
    messageId,
    partner: 'bank.example',
    softwareVersion: '1',
    ...fields,
  }
}

async function seal(events: SealedEvents, hour: string): Promise<void> {
  await sealHours(
    { hour },
    {
      ...events.dependencies,
      invoke: async () => {},
      onSealed() {},
      onOverdue() {},
      remainingMs: () => 900_000,
      now: () => startOf(addHours(hour, 1)) + 7 * 60_000,
    },
  )
}

async function sealed(byHour: Readonly<Record<string, Partial<MailEvent>[]>>): Promise<SealedEvents> {
  const events = new SealedEvents()
  for (const [hour, ofHour] of Object.entries(byHour)) {
    await events.record(hour, ofHour)
    await seal(events, hour)
  }
  return events
}

const kindsOf = (body: { events: { kind: string }[] }) => body.events.map(({ kind }) => kind)

test('a message that was delivered at once has its events, in the order of time, without empty columns', async () => {
  const other = idAt(received, 'B')
  const { store } = await sealed({
    [received]: [
      event('Delivered', received, { recipient: 'a@bank.example', at: `${received}:20:00.000Z` }),
      event('Accepted', received, { recipients: 1, size: 5 }),
      event('Accepted', received, { messageId: other, recipients: 1 }),
    ],
    '2026-11-30T20': [],
  })
  const { status, body } = await createTestEventApi({ store, now })(`GET /messages/${id}/events`)
  assert.equal(status, 200)
  assert.deepEqual(body, {
    events: [
      event('Accepted', received, { recipients: 1, size: 5 }),
      event('Delivered', received, { recipient: 'a@bank.example', at: `${received}:20:00.000Z` }),
    ],
    unreadSince: null,
  })
})

test('a message that was deferred for a day has all events, also of a DSN an hour after the bounce', async () => {
  const recipient = 'a@bank.example'
  const later = addHours(received, 24)
  const { store } = await sealed({
    [received]: [event('Accepted', received, { recipients: 2 }), event('Decided', received, { recipient })],
    [addHours(received, 1)]: [event('Delivered', addHours(received, 1), { recipient: 'b@bank.example' })],
    [addHours(received, 12)]: [event('Attempted', addHours(received, 12), { recipient })],
    [later]: [event('Bounced', later, { recipient })],
    [addHours(later, 1)]: [event('Notified', addHours(later, 1), { recipient })],
    '2026-11-30T20': [],
  })
  const { body } = await createTestEventApi({ store, now })(`GET /messages/${id}/events`)
  assert.deepEqual(kindsOf(body), ['Accepted', 'Decided', 'Delivered', 'Attempted', 'Bounced', 'Notified'])
})

test('a message that was delivered at once needs few requests', async () => {
  const { store } = await sealed({
    [received]: [
      event('Accepted', received, { recipients: 1 }),
      event('Delivered', received, { recipient: 'a@bank.example' }),
    ],
    ...Object.fromEntries(hoursBetween(addHours(received, 1), '2026-11-30T20').map((hour) => [hour, []])),
  })
  const requests: string[] = []
  const counting = {
    ...store,
    get: (...args: Parameters<typeof store.get>) => {
      requests.push(`get ${args[0]}`)
      return store.get(...args)
    },
    list: (prefix: string) => {
      requests.push(`list ${prefix}`)
      return store.list(prefix)
    },
  }
  await createTestEventApi({ store: counting, now })(`GET /messages/${id}/events`)
  assert.ok(requests.length <= 20, requests.join('\n'))
})

test('a message with many recipients needs no more requests than one with few', async () => {
  const { store } = await sealed({
    [received]: [
      event('Accepted', received, { recipients: 100 }),
      ...Array.from({ length: 100 }, (_, number) =>
        event('Delivered', received, {
          recipient: `r${number}@bank.example`,
          partner: `p${number % 7}.example`,
        }),
      ),
      ...Array.from({ length: 100 }, (_, number) =>
        event('Delivered', received, {
          messageId: idAt(received, `S${number}`),
          partner: `p${number % 7}.example`,
        }),
      ),
    ],
    '2026-11-30T20': [],
  })
  let requests = 0
  const counting = {
    ...store,
    get: (...args: Parameters<typeof store.get>) => {
      requests += 1
      return store.get(...args)
    },
  }
  const { body } = await createTestEventApi({ store: counting, now })(`GET /messages/${id}/events`)
  assert.equal(kindsOf(body).length, 101)
  assert.ok(requests <= 10, `${requests} requests`)
})

test('events of the current hour are read before they are sealed', async () => {
  const current = '2026-11-30T21'
  const recent = idAt(current)
  const events = await sealed({ '2026-11-30T20': [] })
  await events.record(current, [event('Accepted', current, { messageId: recent, recipients: 1 })])
  const { body } = await createTestEventApi({ store: events.store, now })(`GET /messages/${recent}/events`)
  assert.deepEqual(kindsOf(body), ['Accepted'])
})

test('when the current hour has too many events to read, the answer says so', async () => {
  const current = '2026-11-30T21'
  const events = await sealed({ '2026-11-30T20': [] })
  const many = Array.from({ length: 40_000 }, (_, number) =>
    event('Delivered', current, { messageId: idAt(current, String(number)), reply: 'x'.repeat(300) }),
  )
  await events.record(current, many)
  const call = createTestEventApi({ store: events.store, now })
  const { status, body } = await call(`GET /messages/${idAt(current, '7')}/events`)
  assert.deepEqual([status, body], [200, { events: [], unreadSince: '2026-11-30T21:00:00.000Z' }])
})

test('the events of a message are found in each shard', async () => {
  const events = new SealedEvents()
  const ids = Array.from({ length: 40 }, (_, number) => idAt(received, `S${number}`))
  await events.record(
    received,
    ids.map((messageId) => event('Accepted', received, { messageId, recipients: 1 })),
  )
  await events.sealAll(received, 16)
  await seal(events, '2026-11-30T20')
  const call = createTestEventApi({ store: events.store, now })
  for (const messageId of ids)
    assert.deepEqual(kindsOf((await call(`GET /messages/${messageId}/events`)).body), ['Accepted'])
})

for (const [name, target] of [
  ['an unknown message', idAt(received, 'Z')],
  ['a message that is too old', idAt('2026-07-01T00')],
  ['a text that is no id', 'hello'],
])
  test(`${name} is not found`, async () => {
    const { store } = await sealed({ '2026-11-30T20': [] })
    const { status, body } = await createTestEventApi({ store, now })(`GET /messages/${target}/events`)
    assert.equal(status, 404)
    assert.match(body.detail, /no events of such a message in the last 90 days/)
  })

const refusal = (id: string, hour: string): Partial<MailEvent> => ({
  id,
  at: `${hour}:00:00.000Z`,
  kind: 'Rejected',
  count: 3,
  reply: '550 5.7.1 no',
  softwareVersion: '1',
})

test('a refusal has its event, from sealed and from unsealed hours', async () => {
  const [old, recent] = [idAt(received, 'R'), idAt('2026-11-30T21', 'R')]
  const events = await sealed({ [received]: [refusal(old, received)], '2026-11-30T20': [] })
  await events.record('2026-11-30T21', [refusal(recent, '2026-11-30T21')])
  const call = createTestEventApi({ store: events.store, now })
  for (const [id, hour] of [
    [old, received],
    [recent, '2026-11-30T21'],
  ] as const) {
    const { status, body } = await call(`GET /messages/${id}/events`)
    assert.deepEqual([status, body], [200, { events: [refusal(id, hour)], unreadSince: null }])
  }
})

test('a refusal that was counted from the minute before its hour has its event', async () => {
  const before = addHours(received, -1)
  const { store } = await sealed({
    [before]: [{ ...refusal(id, before), at: `${before}:59:00.000Z` }],
    '2026-11-30T20': [],
  })
  const { body } = await createTestEventApi({ store, now })(`GET /messages/${id}/events`)
  assert.deepEqual(kindsOf(body), ['Rejected'])
})
