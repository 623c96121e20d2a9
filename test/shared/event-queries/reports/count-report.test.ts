/** What each report counts, from events to rows. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { countReport, maxReportRows, others } from '../../../../shared/event-queries/reports/count-report.ts'
import { countedReports } from '../../../../shared/event-queries/reports/counted-reports.ts'
import type { ReportRow } from '../../../../shared/event-queries/reports/report.ts'
import { addRollups } from '../../../../shared/events/day-rollup.ts'
import { hourOf, startOf } from '../../../../shared/events/hours.ts'
import { RollupBuilder } from '../../../../shared/events/rollup-builder.ts'

const at = '2026-11-30T20:15:00.000Z'
const week = { from: startOf('2026-11-24T00'), to: startOf('2026-12-02T00'), timeZone: 'UTC' }
const context = {
  acceptedDomains: new Set(['ours.example']),
  connectorName: (id: string) => (id === 'DELETED' ? id : `The ${id}`),
}
const everything = { partner: null, connectors: null }

interface Options {
  span?: typeof week
  filter?: { partner: string | null; connectors: readonly string[] | null }
}

function daysOf(events: readonly object[]) {
  const builders = new Map<string, RollupBuilder>()
  for (const [index, fields] of events.entries()) {
    const event: Record<string, unknown> & { at: string } = { id: `event${index}`, at, size: 100, ...fields }
    const hour = hourOf(Date.parse(event.at))
    const builder = builders.get(hour) ?? new RollupBuilder()
    builders.set(hour, builder)
    builder.add(event)
  }
  const rollups = [...builders].map(([hour, builder]) => builder.build(hour, hour))
  const byDate = Map.groupBy(rollups, ({ hour }) => hour.slice(0, 10))
  return [...byDate].map(([date, ofDate]) => [date, addRollups(ofDate)] as const)
}

function rowsOf(name: keyof typeof countedReports, events: readonly object[], options: Options = {}) {
  const { span = week, filter = everything } = options
  return countReport(countedReports[name], daysOf(events), span, filter, context)
}

const only = (rows: readonly ReportRow[]): ReportRow => {
  assert.equal(rows.length, 1, JSON.stringify(rows))
  return rows[0] as ReportRow
}

describe('the connector report', () => {
  const accepted = {
    kind: 'Accepted',
    direction: 'Incoming',
    partner: 'bank.example',
    inboundConnector: 'IN',
    clientIp: '192.0.2.1',
  }
  const delivered = {
    kind: 'Delivered',
    partner: 'bank.example',
    outboundConnector: 'OUT',
    requiredLevel: 'DomainValidation',
    tlsVersion: 'TLSv1.3',
  }
  const cases: [name: string, event: object, expected: ReportRow][] = [
    ['mail without TLS', accepted, { direction: 'Inbound', connector: 'The IN', inClear: 1, volume: 100 }],
    ['mail over TLS 1.2', { ...accepted, tlsVersion: 'TLSv1.2' }, { tls12: 1, inClear: 0 }],
    ['mail over TLS 1.3', { ...accepted, tlsVersion: 'TLSv1.3' }, { tls13: 1, postQuantum: 0 }],
    [
      'mail without connector',
      { ...accepted, inboundConnector: undefined },
      { direction: 'Inbound', connector: null, inClear: 1 },
    ],
    ['a deleted connector', { ...accepted, inboundConnector: 'DELETED' }, { connector: 'DELETED' }],
    [
      'a refused session',
      { kind: 'Rejected', inboundConnector: 'IN', reason: 'InboundTlsRequired', count: 7 },
      { direction: 'Inbound', connector: 'The IN', refused: 7, inClear: 0, volume: 0 },
    ],
    [
      'a delivery over TLS 1.3',
      delivered,
      {
        direction: 'Outbound',
        connector: 'The OUT',
        requiredLevel: 'DomainValidation',
        tls13: 1,
        postQuantum: 0,
      },
    ],
    ['a post-quantum delivery', { ...delivered, group: 'X25519MLKEM768' }, { tls13: 1, postQuantum: 1 }],
    [
      'a delivery in the clear',
      { ...delivered, tlsVersion: undefined, tlsResult: 'starttls-not-supported' },
      { inClear: 1, unknown: 0 },
    ],
    [
      'a delivery through Amazon SES, which shows no session',
      { ...delivered, tlsVersion: undefined, tlsResult: undefined },
      { inClear: 0, unknown: 1 },
    ],
    [
      'an attempt without the required TLS',
      { ...delivered, kind: 'Attempted', decision: 'TlsNotMet', tlsResult: 'certificate-expired' },
      { refused: 1, tls13: 0, volume: 0 },
    ],
  ]
  for (const [name, event, expected] of cases)
    test(`counts ${name}`, () => {
      const row = only(rowsOf('connector-tls', [event]).rows)
      assert.deepEqual({ ...row, ...expected }, row)
    })

  test('has the time of the last message of a row, whose refusals are later', () => {
    const events = [
      { ...accepted, at: '2026-11-30T20:15:00.000Z' },
      { ...accepted, at: '2026-11-30T03:10:00.000Z' },
      { ...accepted, at: '2026-11-30T02:20:00.000Z', tlsVersion: 'TLSv1.3' },
      { kind: 'Rejected', inboundConnector: 'IN', at: '2026-11-30T23:00:00.000Z' },
    ]
    const lastOf = (timeZone: string, to = week.to) =>
      rowsOf('connector-tls', events, { span: { ...week, timeZone, to } }).rows.map((row) => row.lastMail)
    assert.deepEqual(lastOf('UTC'), ['2026-11-30T20:15:00.000Z'])
    // If later events of the UTC day are not counted, only the hour is known.
    assert.deepEqual(lastOf('America/New_York'), ['2026-11-30T20:15:00.000Z', '2026-11-30T03:00:00.000Z'])
    assert.deepEqual(lastOf('UTC', startOf('2026-11-30T05')), ['2026-11-30T03:00:00.000Z'])
    assert.equal(
      only(rowsOf('connector-tls', [{ kind: 'Rejected', inboundConnector: 'IN' }]).rows).lastMail,
      null,
    )
  })

  const others: [name: string, event: object][] = [
    ['a DSN, which no client sent', { ...accepted, clientIp: undefined }],
    ['a refusal that no connector caused', { kind: 'Rejected', reason: 'RelayDenied' }],
    ['an attempt that failed for another reason', { kind: 'Attempted', decision: 'TemporaryFailure' }],
    ['a decision', { kind: 'Decided', inboundConnector: 'IN' }],
  ]
  for (const [name, event] of others)
    test(`does not count ${name}`, () => assert.deepEqual(rowsOf('connector-tls', [event]).rows, []))
})

describe('the report on messages in transit', () => {
  const cases: [name: string, event: object, expected: ReportRow][] = [
    [
      'mail in the clear',
      { kind: 'Accepted', partner: 'shop.example', clientIp: '192.0.2.1' },
      { direction: 'Inbound', domain: 'shop.example', tls: 'None', protection: 'Opportunistic', sent: 1 },
    ],
    [
      'mail that a connector demanded over TLS',
      {
        kind: 'Accepted',
        partner: 'bank.example',
        clientIp: '192.0.2.1',
        tlsVersion: 'TLSv1.3',
        requiredLevel: 'EncryptionOnly',
      },
      { tls: 'TLSv1.3', protection: 'Connector', sent: 1, blocked: 0, error: null },
    ],
    [
      'a delivery with DANE',
      {
        kind: 'Delivered',
        partner: 'clinic.example',
        tlsVersion: 'TLSv1.3',
        requiredLevel: 'Dane',
        policySource: 'Dane',
      },
      { direction: 'Outbound', tls: 'TLSv1.3', protection: 'Dane', sent: 1 },
    ],
    [
      'an attempt that failed at the certificate',
      {
        kind: 'Attempted',
        partner: 'vault.example',
        decision: 'TlsNotMet',
        reason: 'certificate-expired',
        policySource: 'MtaSts',
      },
      { protection: 'MtaSts', sent: 0, blocked: 1, error: 'certificate-expired' },
    ],
    [
      'clients that a connector refused',
      {
        kind: 'Rejected',
        sender: 'a@bank.example',
        senderDomain: 'bank.example',
        reason: 'InboundTlsRequired',
        count: 3,
      },
      { domain: 'bank.example', protection: 'Connector', blocked: 3, error: 'InboundTlsRequired' },
    ],
  ]
  for (const [name, event, expected] of cases)
    test(`counts ${name}`, () => {
      const row = only(rowsOf('in-transit', [event]).rows)
      assert.deepEqual({ ...row, ...expected }, row)
    })
  test('does not count clients that were refused for another reason', () =>
    assert.deepEqual(rowsOf('in-transit', [{ kind: 'Rejected', reason: 'RelayDenied' }]).rows, []))
})

test('the report on refused sessions counts what was counted together', () => {
  const event = {
    kind: 'Rejected',
    clientIp: '2001:db8:1:2:3::4',
    helo: 'mail.bad.example',
    sender: 'x@bad.example',
    senderDomain: 'bad.example',
    stage: 'Rcpt',
    reason: 'RelayDenied',
    reply: '550 5.7.64 Relay access denied',
  }
  assert.deepEqual(rowsOf('rejected', [event, { ...event, count: 41 }]).rows, [
    {
      date: '2026-11-30',
      clientNetwork: '2001:db8:1:2::/64',
      helo: 'mail.bad.example',
      senderDomain: 'bad.example',
      connector: null,
      stage: 'Rcpt',
      reason: 'RelayDenied',
      reply: '550 5.7.64',
      count: 42,
    },
  ])
})

test('the report on non-accepted domains has senders of own servers only', () => {
  const event = { kind: 'Accepted', direction: 'Originating', inboundConnector: 'IN', clientIp: '192.0.2.1' }
  const rows = rowsOf('non-accepted-domains', [
    { ...event, partner: 'forgotten.example' },
    { ...event, partner: 'ours.example' },
    { ...event, partner: 'bank.example', direction: 'Incoming' },
    { ...event },
  ]).rows
  assert.deepEqual(rows, [
    { date: '2026-11-30', domain: 'forgotten.example', connector: 'The IN', messages: 1, volume: 100 },
  ])
})

test('the report on non-delivery counts bounced recipients by code, the most frequent first', () => {
  const bounced = (reply: string, reason: string) => ({ kind: 'Bounced', reply, reason })
  const { rows, samples } = rowsOf('non-delivery', [
    { ...bounced('550 5.1.1 unknown <a@b.example>', 'RefusedByNextHop'), messageId: 'M1' },
    { ...bounced('451 4.4.7 Message expired', 'Expired'), messageId: 'M2' },
    { ...bounced('550 5.1.1 no such user', 'RefusedByNextHop'), messageId: 'M3' },
  ])
  assert.deepEqual(rows, [
    { code: '550 5.1.1', reason: 'RefusedByNextHop', count: 2 },
    { code: '451 4.4.7', reason: 'Expired', count: 1 },
  ])
  assert.deepEqual(samples, [['M1', 'M3'], ['M2']])
})

test('the report on key exchange gives the share of post-quantum deliveries', () => {
  const delivered = { kind: 'Delivered', partner: 'bank.example', tlsVersion: 'TLSv1.3' }
  const rows = rowsOf('key-exchange', [
    { ...delivered, group: 'X25519MLKEM768' },
    { ...delivered, group: 'X25519' },
    { ...delivered, group: 'X25519' },
    { kind: 'Delivered', partner: 'bank.example', tlsResult: 'starttls-not-supported' },
  ]).rows
  assert.deepEqual(rows, [{ partner: 'bank.example', messages: 3, postQuantum: 1, share: 0.3333 }])
})

describe('a span', () => {
  const bounced = (time: string) => ({
    kind: 'Accepted',
    partner: 'a.example',
    at: time,
    clientIp: '192.0.2.1',
  })
  const datesIn = (timeZone: string, ...times: string[]) =>
    rowsOf('in-transit', times.map(bounced), { span: { ...week, timeZone } }).rows.map(({ date, sent }) => [
      date,
      sent,
    ])

  test('begins with its first hour and ends before its end', () => {
    const span = { from: startOf('2026-11-30T20'), to: startOf('2026-11-30T22'), timeZone: 'UTC' }
    const events = ['19:59:59.999', '20:00:00.000', '21:59:59.999', '22:00:00.000'].map((time) =>
      bounced(`2026-11-30T${time}Z`),
    )
    assert.equal(only(rowsOf('in-transit', events, { span }).rows).sent, 2)
  })
  test('has days of the time zone', () => {
    const times = ['2026-11-30T22:30:00.000Z', '2026-11-30T23:30:00.000Z']
    assert.deepEqual(datesIn('UTC', ...times), [['2026-11-30', 2]])
    assert.deepEqual(datesIn('Europe/Berlin', ...times), [
      ['2026-12-01', 1],
      ['2026-11-30', 1],
    ])
    assert.deepEqual(datesIn('America/New_York', ...times), [['2026-11-30', 2]])
  })
  test('counts an hour that midnight divides on the day in which it begins', () =>
    assert.deepEqual(datesIn('Asia/Kolkata', '2026-11-30T18:45:00.000Z'), [['2026-11-30', 1]]))
})

describe('a filter', () => {
  const events = [
    { kind: 'Delivered', partner: 'bank.example', outboundConnector: 'OUT', tlsVersion: 'TLSv1.3' },
    { kind: 'Accepted', partner: 'bank.example', inboundConnector: 'IN', clientIp: '192.0.2.1' },
    { kind: 'Accepted', partner: 'shop.example', clientIp: '192.0.2.1' },
  ]
  test('of a partner leaves out other partners', () =>
    assert.equal(
      rowsOf('in-transit', events, { filter: { partner: 'bank.example', connectors: null } }).rows.length,
      2,
    ))
  test('of connectors has mail of each of them', () => {
    const { rows } = rowsOf('connector-tls', events, { filter: { partner: null, connectors: ['OUT', 'IN'] } })
    assert.deepEqual(new Set(rows.map(({ connector }) => connector)), new Set(['The OUT', 'The IN']))
  })
})

test('a report of very many domains adds the smallest rows, and its sums stay exact', () => {
  const large = maxReportRows + 2000
  const events = Array.from({ length: large }, (_, index) => ({
    kind: 'Accepted',
    partner: `d${index}.example`,
    clientIp: '192.0.2.1',
  }))
  const { rows } = rowsOf('in-transit', [...events, { ...events[0] }])
  assert.equal(rows.length, maxReportRows + 1)
  assert.equal(
    rows.reduce((sum, { sent }) => sum + Number(sent), 0),
    large + 1,
  )
  assert.deepEqual([rows[0]?.domain, rows[0]?.sent], [others, 2000])
  assert.deepEqual([rows[1]?.domain, rows[1]?.sent], ['d0.example', 2])
})

// A client chooses the name in EHLO, and it may have 500 characters.
test('a report of very long texts fits a response of Lambda, and its sums stay exact', () => {
  const large = 9000
  const events = Array.from({ length: large }, (_, index) => ({
    kind: 'Rejected',
    reason: 'RelayDenied',
    helo: `${index}${'"'.repeat(490)}`,
    clientIp: '192.0.2.1',
    at: `2026-11-${index % 2 === 0 ? 29 : 30}T20:00:00.000Z`,
  }))
  const { rows, samples } = rowsOf('rejected', events)
  assert.ok(Buffer.byteLength(JSON.stringify(JSON.stringify({ rows, samples }))) < 6 * 1024 * 1024)
  assert.ok(rows.length > 1000)
  assert.equal(
    rows.reduce((sum, { count }) => sum + Number(count), 0),
    large,
  )
})
