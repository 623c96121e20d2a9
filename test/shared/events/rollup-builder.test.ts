import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RollupBuilder, replyCodeOf } from '../../../shared/events/rollup-builder.ts'
import type { RollupRow } from '../../../shared/events/rollup-row.ts'
import { Rollup } from '../../../shared/events/rollup-row.ts'

const at = '2026-11-30T20:15:00.000Z'

function rowsOf(...events: object[]): RollupRow[] {
  const builder = new RollupBuilder()
  for (const [index, event] of events.entries())
    builder.add({ id: `event${index}`, at, softwareVersion: '1', ...event })
  return Rollup.parse(builder.build('2026-11-30T20', '2026-11-30T21')).rows
}

test('events with the same values of the counted columns are one row', () => {
  const common = {
    kind: 'Delivered',
    partner: 'a.example',
    tlsVersion: 'TLSv1.3',
    verified: true,
    state: 'Delivered',
  }
  const rows = rowsOf(
    { ...common, messageId: 'm1', recipient: 'x@a.example', reply: '250 2.0.0 queued as 1', size: 100 },
    {
      ...common,
      messageId: 'm2',
      recipient: 'y@a.example',
      reply: '250 2.0.0 queued as 2',
      size: 200,
      at: '2026-11-30T20:45:00.000Z',
    },
    {
      ...common,
      messageId: 'm2',
      recipient: 'z@a.example',
      reply: '250 2.0.0 queued as 3',
      size: 200,
      at: '2026-11-30T20:01:00Z',
    },
  )
  assert.deepEqual(rows, [
    {
      ...common,
      replyCode: '250 2.0.0',
      events: 3,
      count: 3,
      octets: 500,
      recipients: 0,
      first: '2026-11-30T20:01:00.000Z',
      last: '2026-11-30T20:45:00.000Z',
      samples: ['m1', 'm2'],
    },
  ])
})

test('a row has at most three samples, and counts rejections that were counted together', () => {
  const [row, ...others] = rowsOf(
    ...Array.from({ length: 5 }, () => ({ kind: 'Rejected', stage: 'Rcpt', count: 100 })),
    { kind: 'Rejected', stage: 'Rcpt' },
  )
  assert.deepEqual(others, [])
  assert.deepEqual([row?.events, row?.count, row?.samples], [6, 501, ['event0', 'event1', 'event2']])
})

const different: [what: string, a: object, b: object, rows: number][] = [
  ['partners', { partner: 'a.example' }, { partner: 'b.example' }, 2],
  ['TLS versions, one absent', { tlsVersion: 'TLSv1.3' }, {}, 2],
  ['verified: false and absent', { verified: false }, {}, 2],
  ['texts of a reply', { reply: '550 5.1.1 a' }, { reply: '550 5.1.1 b' }, 1],
  ['reply codes', { reply: '550 5.1.1 a' }, { reply: '550 5.1.2 a' }, 2],
  ['client addresses of mail', { clientIp: '192.0.2.1' }, { clientIp: '192.0.2.2' }, 1],
]
for (const [what, a, b, rows] of different)
  test(`events with different ${what} are ${rows} row${rows > 1 ? 's' : ''}`, () => {
    assert.equal(rowsOf({ kind: 'Delivered', ...a }, { kind: 'Delivered', ...b }).length, rows)
  })

test('rejections are counted by the network, HELO name and domains of the client', () => {
  const rejected = { kind: 'Rejected', helo: 'h', senderDomain: 's.example' }
  const rows = rowsOf(
    { ...rejected, clientIp: '2001:db8:0:1::1' },
    { ...rejected, clientIp: '2001:db8:0:1::2' },
    { ...rejected, clientIp: '2001:db8:0:2::2' },
  )
  assert.deepEqual(
    rows.map(({ clientNetwork, events }) => [clientNetwork, events]),
    [
      ['2001:db8:0:1::/64', 2],
      ['2001:db8:0:2::/64', 1],
    ],
  )
})

test('an attack with many HELO names has a limited number of rows, and every rejection still counts', () => {
  const attack = Array.from({ length: 12_000 }, (_, index) => ({
    kind: 'Rejected',
    helo: `h${index}`,
    reason: index % 2 === 0 ? 'RelayDenied' : 'Blocked',
    count: index < 10 ? 1000 : 1,
  }))
  const rows = rowsOf(...attack, { kind: 'Accepted' })
  assert.equal(rows.length, 5000 + 2 + 1)
  const rejected = rows.filter(({ kind }) => kind === 'Rejected')
  assert.equal(
    rejected.reduce((sum, { events }) => sum + events, 0),
    12_000,
  )
  assert.equal(
    rejected.reduce((sum, { count }) => sum + count, 0),
    12_000 - 10 + 10_000,
  )
  assert.equal(rejected.filter(({ helo, count }) => helo !== undefined && count === 1000).length, 10)
})

test('values of wrong types are ignored', () => {
  const [row] = rowsOf({ kind: 'Delivered', partner: 7, size: 'large', count: -1, recipients: 1.5 })
  assert.deepEqual([row?.partner, row?.octets, row?.count, row?.recipients], [undefined, 0, 1, 0])
})

const replies: [reply: string, code: string | undefined][] = [
  ['250 2.0.0 Ok', '250 2.0.0'],
  ['550-5.7.1 first line', '550 5.7.1'],
  ['421 try later', '421'],
  ['550 5.7.1', '550 5.7.1'],
  ['550 5.7.1extra', '550'],
  ['connection refused', undefined],
]
for (const [reply, code] of replies)
  test(`the code of the reply "${reply}" is ${code}`, () => assert.equal(replyCodeOf(reply), code))
