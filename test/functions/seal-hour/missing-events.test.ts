/** A lost event is found, and an event that is still on its way is not taken for lost. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { firstPosition } from '../../../functions/seal-hour/missing-events.ts'
import { RecipientKeys, type RecipientStatus } from '../../../functions/seal-hour/recipient-keys.ts'
import { type EventKind, eventId } from '../../../shared/contract/events.ts'
import { EventAddresses } from '../../../shared/events/hash-addresses.ts'
import { hourOf, hoursBetween } from '../../../shared/events/hours.ts'
import { indexKeys, recipientKey } from '../../../shared/messages/message-keys.ts'
import { packDetail } from '../../../shared/messages/packed-detail.ts'
import { jobPosition } from '../../../shared/messages/trace.ts'
import { startDynamoDb } from '../../support/dynamodb.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const messageId = '01KB0000000000000000000001'
const address = 'a@partner.example'

test('the position of the first job is that of the trace', () =>
  assert.equal(firstPosition, jobPosition(0, null)))

/** The key of each event, after its kind and message. */
const keys: Partial<Record<EventKind, readonly (string | number)[]>> = {
  Accepted: [],
  Decided: [address, firstPosition],
  Bounced: [address],
}

interface Case {
  what: string
  receivedAt: string
  state: RecipientStatus['state']
  /** Time of the last change in the table. */
  changedAt: string
  attempts?: number
  failedAttempts?: number
  /** Events with the times at which they are recorded. */
  events: readonly [kind: EventKind, recordedAt: string, attempt?: number][]
  /** Missing events of the seals of these hours. */
  missing: Readonly<Record<string, Partial<Record<EventKind, number>>>>
  open?: Readonly<Record<string, number>>
}

const received = '2026-11-30T20:59:59.900Z'
const all: Case['events'] = [
  ['Accepted', '2026-11-30T21:00:04Z'],
  ['Decided', '2026-11-30T21:00:04Z'],
  ['Delivered', '2026-11-30T21:01:00Z'],
]

const afterAttempt: Case['events'] = [
  ['Accepted', '2026-11-30T21:00:04Z'],
  ['Decided', '2026-11-30T21:00:04Z'],
  ['Attempted', '2026-11-30T21:00:04Z', 1],
  ['Bounced', '2026-11-30T21:00:04Z'],
]

const cases: Case[] = [
  {
    what: 'a message received at the end of an hour and delivered in the next, whose function was late',
    receivedAt: received,
    state: 'Delivered',
    changedAt: '2026-11-30T21:00:03Z',
    events: all,
    missing: { '2026-11-30T20': {}, '2026-11-30T21': {}, '2026-11-30T22': {}, '2026-12-02T21': {} },
  },
  ...(['Accepted', 'Decided', 'Delivered'] as const).map((lost) => ({
    what: `the lost event ${lost} of a delivered message`,
    receivedAt: received,
    state: 'Delivered' as const,
    changedAt: '2026-11-30T21:00:03Z',
    events: all.filter(([kind]) => kind !== lost),
    missing: { '2026-11-30T21': {}, '2026-11-30T22': { [lost]: 1 }, '2026-12-02T21': { [lost]: 1 } },
  })),
  {
    what: 'a bounce at the first decision',
    receivedAt: received,
    state: 'Bounced',
    changedAt: '2026-11-30T21:00:03Z',
    events: [
      ['Accepted', '2026-11-30T21:00:04Z'],
      ['Bounced', '2026-11-30T21:00:04Z'],
    ],
    missing: { '2026-11-30T22': {}, '2026-12-02T21': {} },
  },
  ...(['Decided', 'Attempted', 'Bounced'] as const).map((lost) => ({
    what: `the lost event ${lost} of a bounce after an attempt`,
    receivedAt: received,
    state: 'Bounced' as const,
    failedAttempts: 1,
    changedAt: '2026-11-30T21:00:03Z',
    events: afterAttempt.filter(([kind]) => kind !== lost),
    missing: { '2026-11-30T22': { [lost]: 1 }, '2026-12-02T21': { [lost]: 1 } },
  })),
  {
    what: 'the lost event of the first attempt of a deferral',
    receivedAt: received,
    state: 'Deferred',
    failedAttempts: 2,
    changedAt: '2026-11-30T21:00:03Z',
    events: [
      ['Accepted', '2026-11-30T21:00:04Z'],
      ['Decided', '2026-11-30T21:00:04Z'],
      ['Attempted', '2026-11-30T21:00:04Z', 2],
    ],
    missing: { '2026-11-30T22': { Attempted: 1 } },
    open: { '2026-11-30T22': 1 },
  },
  {
    what: 'the lost event of a bounce',
    receivedAt: received,
    state: 'Bounced',
    changedAt: '2026-11-30T21:00:03Z',
    events: [['Accepted', '2026-11-30T21:00:04Z']],
    missing: { '2026-11-30T22': { Bounced: 1 }, '2026-12-02T21': { Bounced: 1 } },
  },
  {
    what: 'a delivery at the end of the last hour, whose event is recorded in the sealed hour',
    receivedAt: '2026-11-30T20:10:00Z',
    state: 'Delivered',
    changedAt: '2026-11-30T21:59:59.999Z',
    events: [
      ['Accepted', '2026-11-30T20:11:00Z'],
      ['Decided', '2026-11-30T20:11:00Z'],
      ['Delivered', '2026-11-30T22:01:00Z'],
    ],
    missing: { '2026-11-30T22': {} },
  },
  {
    what: 'a delivery in the sealed hour, whose event is recorded after it',
    receivedAt: '2026-11-30T20:10:00Z',
    state: 'Delivered',
    changedAt: '2026-11-30T22:59:59.999Z',
    events: [
      ['Accepted', '2026-11-30T20:11:00Z'],
      ['Decided', '2026-11-30T20:11:00Z'],
      ['Delivered', '2026-11-30T23:00:30Z'],
    ],
    missing: { '2026-11-30T22': {}, '2026-12-02T21': {} },
    open: { '2026-11-30T22': 1, '2026-12-02T21': 0 },
  },
  {
    what: 'a deferral for hours, until a third attempt delivers',
    receivedAt: '2026-11-30T20:10:00Z',
    state: 'Delivered',
    attempts: 3,
    failedAttempts: 2,
    changedAt: '2026-12-01T05:30:00Z',
    events: [
      ['Accepted', '2026-11-30T20:11:00Z'],
      ['Decided', '2026-11-30T20:11:00Z'],
      ['Attempted', '2026-11-30T20:12:00Z', 1],
      ['Attempted', '2026-12-01T01:12:00Z', 2],
      ['Delivered', '2026-12-01T05:31:00Z', 3],
    ],
    missing: { '2026-11-30T22': {}, '2026-12-02T21': {} },
    open: { '2026-11-30T22': 1 },
  },
  {
    what: 'the lost event of a delivery after hours of deferral, found at the second look',
    receivedAt: '2026-11-30T20:10:00Z',
    state: 'Delivered',
    attempts: 3,
    failedAttempts: 2,
    changedAt: '2026-12-01T05:30:00Z',
    events: [
      ['Accepted', '2026-11-30T20:11:00Z'],
      ['Decided', '2026-11-30T20:11:00Z'],
      ['Attempted', '2026-11-30T20:12:00Z', 1],
      ['Attempted', '2026-12-01T01:12:00Z', 2],
    ],
    missing: { '2026-11-30T22': {}, '2026-12-02T21': { Delivered: 1 } },
  },
  {
    what: 'a deferral that lasts',
    receivedAt: '2026-11-30T20:10:00Z',
    state: 'Deferred',
    changedAt: '2026-11-30T20:11:00Z',
    events: [
      ['Accepted', '2026-11-30T20:11:00Z'],
      ['Decided', '2026-11-30T20:11:00Z'],
    ],
    missing: { '2026-11-30T22': {} },
    open: { '2026-11-30T22': 1 },
  },
  {
    what: 'an evaluation hours after the receipt, whose events are found at the second look',
    receivedAt: '2026-11-30T20:10:00Z',
    state: 'Delivered',
    changedAt: '2026-12-01T03:00:01Z',
    events: [
      ['Accepted', '2026-12-01T03:01:00Z'],
      ['Decided', '2026-12-01T03:01:00Z'],
      ['Delivered', '2026-12-01T03:01:00Z'],
    ],
    missing: { '2026-11-30T22': {}, '2026-12-02T21': {} },
  },
  {
    what: 'all events of a late evaluation lost',
    receivedAt: '2026-11-30T20:10:00Z',
    state: 'Delivered',
    changedAt: '2026-12-01T03:00:01Z',
    events: [],
    missing: { '2026-11-30T22': {}, '2026-12-02T21': { Accepted: 1, Decided: 1, Delivered: 1 } },
  },
]

for (const {
  what,
  receivedAt,
  state,
  changedAt,
  attempts = 1,
  failedAttempts = 0,
  events,
  missing,
  open = {},
} of cases)
  for (const [how, addresses] of [
    ['', null],
    ['with hashed addresses, ', new EventAddresses('k'.repeat(64), [])],
  ] as const)
    test(`${how}${what}: ${Object.values(missing).some((kinds) => Object.keys(kinds).length > 0) ? 'is found' : 'is not missing'}`, async () => {
      const sealed = new SealedEvents({
        addresses: async () => addresses,
        recipients: {
          async *receivedIn(hour) {
            if (hour === hourOf(Date.parse(receivedAt))) yield { messageId, address }
          },
          status: async (recipients) =>
            recipients.map(() => ({ state, attempts, failedAttempts, changedAt: Date.parse(changedAt) })),
        },
      })
      for (const [index, [kind, recordedAt, attempt]] of events.entries()) {
        const key = keys[kind] ?? [address, attempt ?? 1]
        const event = {
          id: eventId(kind, messageId, ...key),
          at: recordedAt,
          kind,
          messageId,
          recipient: address,
        }
        // The first is from before the setting.
        const isPlain = addresses === null || index === 0 || kind === 'Accepted'
        await sealed.record(hourOf(Date.parse(recordedAt)), [isPlain ? event : addresses.hashIn(event)])
      }
      await sealed.seal('2026-11-30T19')
      for (const [hour, expected] of Object.entries(missing)) {
        const { reconciliation } = await sealed.seal(hour)
        assert.deepEqual(reconciliation.missing, expected, hour)
        const stored = addresses?.hashIn({ recipient: address }).recipient ?? address
        assert.deepEqual(
          reconciliation.samples,
          Object.keys(expected).map((kind) => ({ kind, messageId, recipient: stored })),
          hour,
        )
        if (open[hour] !== undefined) assert.equal(reconciliation.open, open[hour], hour)
      }
    })

test('the event Accepted of a message with many recipients is missing once', async () => {
  const addresses = ['a@p.example', 'b@p.example', 'c@p.example']
  const sealed = new SealedEvents({
    recipients: {
      async *receivedIn(hour) {
        if (hour === '2026-11-30T20') for (const each of addresses) yield { messageId, address: each }
      },
      status: async (recipients) =>
        recipients.map(() => ({
          state: 'Delivered',
          attempts: 1,
          failedAttempts: 0,
          changedAt: Date.parse(received),
        })),
    },
  })
  await sealed.record(
    '2026-11-30T21',
    addresses.flatMap((each) => [
      {
        id: eventId('Decided', messageId, each, firstPosition),
        at: received,
        kind: 'Decided' as const,
        messageId,
      },
      { id: eventId('Delivered', messageId, each, 1), at: received, kind: 'Delivered' as const, messageId },
    ]),
  )
  await sealed.seal('2026-11-30T19')
  const { reconciliation } = await sealed.seal('2026-11-30T22')
  assert.deepEqual(reconciliation.missing, { Accepted: 1 })
  assert.equal(reconciliation.recipients, 3)
})

const dynamodb = await startDynamoDb()
after(() => dynamodb.stop())

test('recipients are read from the index by hour and shard, with their states', async () => {
  const recipients = new RecipientKeys(dynamodb.documents, dynamodb.messagesTable)
  const put = (id: string, receivedAt: string, isCanary = false) =>
    dynamodb.documents.send(
      new PutCommand({
        TableName: dynamodb.messagesTable,
        Item: {
          ...recipientKey(id, address),
          ...(!isCanary && indexKeys(id, receivedAt)),
          state: 'Bounced',
          claimed: 2,
          attempts: 1,
          detail: packDetail({ verdict: { at: '2026-11-30T20:30:00.000Z' } }),
          result: packDetail({ at: '2026-11-30T20:31:00.000Z', durationMs: 1500 }),
        },
      }),
    )
  const ids = Array.from(
    { length: 40 },
    (_, index) => `01KB00000000000000000000${String(index).padStart(2, '0')}`,
  )
  for (const id of ids) await put(id, '2026-11-30T20:00:00.000Z')
  await put('01KB0000000000000000000097', '2026-11-30T19:59:59.999Z')
  await put('01KB0000000000000000000098', '2026-11-30T21:00:00.000Z')
  await put('01KB0000000000000000000099', '2026-11-30T20:30:00.000Z', true)
  const whole = await Array.fromAsync(recipients.receivedIn('2026-11-30T20', { shard: 0, shards: 1 }))
  assert.deepEqual(whole.map((recipient) => recipient.messageId).sort(), ids)
  assert.ok(whole.every((recipient) => recipient.address === address))
  assert.deepEqual(
    await recipients.status([
      { messageId: ids[0] as string, address },
      { messageId: ids[0] as string, address: 'x@y.example' },
    ]),
    [
      { state: 'Bounced', attempts: 2, failedAttempts: 1, changedAt: Date.parse('2026-11-30T20:31:01.500Z') },
      null,
    ],
  )
})

test('messages of the hour of the first seal are not looked at: an earlier release without events had them', async () => {
  const sealed = new SealedEvents({
    recipients: {
      async *receivedIn(hour) {
        yield { messageId: hour, address }
      },
      status: async (recipients) =>
        recipients.map(() => ({
          state: 'Pending',
          attempts: 0,
          failedAttempts: 0,
          changedAt: Date.parse(received),
        })),
    },
  })
  const hours = hoursBetween('2026-11-30T20', '2026-12-02T23')
  const missing: Record<string, number> = {}
  for (const hour of hours) {
    const { reconciliation } = await sealed.seal(hour)
    for (const { messageId: id, kind } of reconciliation.samples)
      if (kind === 'Accepted') missing[id] = (missing[id] ?? 0) + 1
  }
  const looked = Object.keys(missing)
  assert.equal(looked[0], '2026-11-30T21')
  assert.equal(missing['2026-11-30T21'], 2, 'at the seal of the second hour after it, and two days later')
})
