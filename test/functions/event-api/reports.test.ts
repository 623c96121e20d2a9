/** `/reports`: the list, each report, CSV, and wrong requests. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ReportName } from '../../../shared/event-queries/reports/report-schemas.ts'
import { createTestEventApi } from '../../support/event-api.ts'
import { inbound, outbound, snapshot } from '../../support/fixtures.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const now = () => Date.parse('2026-11-30T21:30:00Z')
const ids = { in: '01ARZ3NDEKTSV4RRFFQ69G5FA0', out: '01ARZ3NDEKTSV4RRFFQ69G5FA1' }
const connectors = snapshot({
  inbound: [inbound({ id: ids.in, name: 'From the bank' })],
  outbound: [outbound({ id: ids.out, name: 'From the bank', recipientDomains: ['ours.example'] })],
  acceptedDomains: ['ours.example', 'new.example'],
})

async function setUp(...events: object[]) {
  const recorded = new SealedEvents()
  await recorded.record(
    '2026-11-30T21',
    events.map((event, index) => ({
      id: `event${index}`,
      at: '2026-11-30T21:05:00.000Z',
      size: 10,
      softwareVersion: '1',
      ...event,
    })),
  )
  return createTestEventApi({ store: recorded.store, now, connectors })
}

const accepted = { kind: 'Accepted', direction: 'Incoming', clientIp: '192.0.2.1', messageId: 'M1' }

test('the list has each report with its columns', async () => {
  const call = await setUp()
  const { status, body } = await call('GET /reports')
  assert.equal(status, 200)
  const names = body.items.map(({ name }: { name: string }) => name)
  assert.deepEqual(names, ReportName.options)
  for (const { name, title, columns } of body.items) {
    assert.ok(title.length > 0 && columns.length > 1, name)
    for (const column of columns) assert.ok(column.description.length > 0, `${name} ${column.name}`)
  }
})

test('each report of a new deployment has its columns and no rows', async () => {
  const call = createTestEventApi({ now, connectors: snapshot({ acceptedDomains: [] }) })
  for (const name of ReportName.options) {
    const { status, body } = await call(`GET /reports/${name}`)
    assert.deepEqual([status, body.rows, body.samples], [200, [], []], name)
  }
})

test('a report is of seven days by default, and says which numbers may grow', async () => {
  const call = await setUp({ ...accepted, partner: 'bank.example' })
  const { body } = await call('GET /reports/in-transit')
  assert.deepEqual(
    [body.from, body.to, body.timeZone, body.soFar],
    ['2026-11-24T00:00:00.000Z', '2026-11-30T22:00:00.000Z', 'UTC', '2026-11-30T20:00:00.000Z'],
  )
  assert.deepEqual(body.rows, [
    {
      date: '2026-11-30',
      direction: 'Inbound',
      domain: 'bank.example',
      tls: 'None',
      protection: 'Opportunistic',
      sent: 1,
      blocked: 0,
      error: null,
    },
  ])
  assert.deepEqual(body.samples, [['M1']])
})

test('the seven days begin at midnight of the time zone', async () => {
  const call = await setUp()
  const { body } = await call('GET /reports/in-transit?timeZone=America/New_York')
  assert.equal(body.from, '2026-11-24T05:00:00.000Z')
})

describe('the seven days of the report', () => {
  const cases: [name: string, timeZone: string, at: string, from: string][] = [
    [
      'begin with an hour of the first day, where midnight divides an hour',
      'Asia/Kolkata',
      '2026-11-30T21:30:00Z',
      '2026-11-24T19:00:00.000Z',
    ],
    [
      'are seven after a day of 23 hours',
      'Europe/Berlin',
      '2026-03-30T22:30:00Z',
      '2026-03-24T23:00:00.000Z',
    ],
    [
      'are seven after a day of 25 hours',
      'Europe/Berlin',
      '2026-10-28T22:30:00Z',
      '2026-10-21T22:00:00.000Z',
    ],
    ['do not depend on the hour', 'Europe/Berlin', '2026-10-28T23:30:00Z', '2026-10-22T22:00:00.000Z'],
  ]
  for (const [name, timeZone, at, from] of cases)
    test(`${name} (${timeZone})`, async () => {
      const call = createTestEventApi({ now: () => Date.parse(at), connectors })
      const { body } = await call(`GET /reports/in-transit?timeZone=${timeZone}`)
      assert.equal(body.from, from)
    })
})

test('a period ends a day from now at the latest: nothing happened later', async () => {
  const days: string[][] = []
  const call = createTestEventApi({
    now,
    connectors,
    reports: {
      tlsReports: async (...span) => {
        days.push(span)
        return []
      },
    },
  })
  const { body } = await call('GET /reports/tls-rpt?from=2026-11-30T00:00:00Z&to=9999-01-01T00:00:00Z')
  assert.deepEqual([body.to, days], ['2026-12-01T22:00:00.000Z', [['2026-11-30', '2026-12-01']]])
})

test('a report is CSV for a client that accepts it', async () => {
  const call = await setUp(
    { ...accepted, partner: 'bank.example' },
    { kind: 'Rejected', reason: 'RelayDenied', helo: 'a,"b"\r\nc', stage: 'Rcpt', clientIp: '192.0.2.9' },
  )
  const { status, headers, body } = await call('GET /reports/rejected', { headers: { accept: 'text/csv' } })
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'text/csv; charset=utf-8')
  assert.equal(headers['content-disposition'], 'attachment; filename="rejected-2026-11-24.csv"')
  const lines = [
    'date,clientNetwork,helo,senderDomain,connector,stage,reason,reply,count,samples',
    '2026-11-30,192.0.2.9,"a,""b""\r\nc",,,Rcpt,RelayDenied,,1,event1',
  ]
  assert.equal(body, `${lines.join('\r\n')}\r\n`)
})

test('the filter of a connector takes its name, which both directions may have', async () => {
  const call = await setUp(
    { ...accepted, inboundConnector: ids.in },
    { kind: 'Delivered', outboundConnector: ids.out, tlsVersion: 'TLSv1.3' },
    { ...accepted, inboundConnector: '01ARZ3NDEKTSV4RRFFQ69G5FA9' },
  )
  const rowsOf = async (connector: string) =>
    (await call(`GET /reports/connector-tls?connector=${encodeURIComponent(connector)}`)).body.rows
  assert.equal((await rowsOf('from THE bank')).length, 2)
  assert.equal((await rowsOf(ids.out)).length, 1)
  assert.equal((await rowsOf('01ARZ3NDEKTSV4RRFFQ69G5FA9'))[0].connector, '01ARZ3NDEKTSV4RRFFQ69G5FA9')
})

describe('the status of a domain', () => {
  const toDomain = { partner: 'ours.example', direction: 'Incoming' }
  const statusOf = async (...events: object[]) => {
    const call = await setUp(...events)
    const { body } = await call('GET /reports/domain-status?partner=ours.example')
    const [row] = body.rows
    return row
  }
  test('is NoMail without a delivery', async () => assert.equal((await statusOf()).status, 'NoMail'))
  test('is Ok after a delivery', async () => {
    const row = await statusOf({ ...toDomain, kind: 'Delivered' })
    assert.deepEqual([row.status, row.reason, row.lastMail], ['Ok', null, '2026-11-30T21:05:00.000Z'])
  })
  test('is Failing if an attempt failed after the last delivery', async () => {
    const failed = { ...toDomain, kind: 'Attempted', decision: 'TlsNotMet', reason: 'certificate-expired' }
    const row = await statusOf(
      { ...toDomain, kind: 'Delivered' },
      { ...failed, at: '2026-11-30T21:20:00.000Z' },
    )
    assert.deepEqual(
      [row.status, row.howToFix],
      ['Failing', 'npx mailflow connectors validate "From the bank"'],
    )
    assert.match(row.reason, /certificate-expired/)
  })
  test('is Ok if a delivery followed the attempt', async () => {
    const row = await statusOf(
      { ...toDomain, kind: 'Attempted', decision: 'TemporaryFailure' },
      { ...toDomain, kind: 'Delivered', at: '2026-11-30T21:20:00.000Z' },
    )
    assert.equal(row.status, 'Ok')
  })
  test('is that of the period of the report', async () => {
    const day = '2026-11-30T'
    const call = await setUp(
      { ...toDomain, kind: 'Delivered', at: `${day}18:00:00.000Z`, messageId: 'before' },
      { ...toDomain, kind: 'Delivered', at: `${day}19:30:00.000Z`, messageId: 'in' },
      { ...toDomain, kind: 'Attempted', decision: 'TlsNotMet', at: `${day}21:05:00.000Z` },
    )
    const rowOf = async (query: string) => {
      const { body } = await call(`GET /reports/domain-status?partner=ours.example&${query}`)
      const [row] = body.rows
      return [row.status, row.lastMail]
    }
    const [from, to] = [`from=${day}19:00:00Z`, `to=${day}21:00:00Z`]
    assert.deepEqual(await rowOf(`${from}&${to}`), ['Ok', `${day}19:30:00.000Z`])
    assert.deepEqual(await rowOf(`from=${day}20:00:00Z&${to}`), ['NoMail', null])
    assert.deepEqual(await rowOf(from), ['Failing', `${day}19:30:00.000Z`])
  })
  test('is NoRoute without a connector', async () => {
    const call = await setUp()
    const { body } = await call('GET /reports/domain-status')
    assert.deepEqual(
      body.rows.map(({ domain, status }: Record<string, unknown>) => [domain, status]),
      [
        ['new.example', 'NoRoute'],
        ['ours.example', 'NoMail'],
      ],
    )
  })
})

test('the report on TLS reports has the changes of own certificates beside them', async () => {
  const call = createTestEventApi({
    now,
    reports: {
      tlsReports: async (since, until) => {
        assert.deepEqual([since, until], ['2026-11-24', '2026-11-30'])
        return [
          {
            day: '2026-11-29',
            organisation: 'Google Inc.',
            domains: ['ours.example'],
            successfulSessions: 10,
            failedSessions: 2,
          },
        ]
      },
      ownCertificates: async () => [
        { fingerprint256: 'ab'.repeat(32), firstSeen: '2026-11-28T10:00:00.000Z' },
        { fingerprint256: 'cd'.repeat(32), firstSeen: '2026-01-01T10:00:00.000Z' },
      ],
    },
  })
  const { body } = await call('GET /reports/tls-rpt')
  assert.deepEqual(body.rows, [
    {
      date: '2026-11-29',
      organisation: 'Google Inc.',
      domain: 'ours.example',
      successful: 10,
      failed: 2,
      certificates: null,
    },
    {
      date: '2026-11-28',
      organisation: null,
      domain: null,
      successful: 0,
      failed: 0,
      certificates: 'ab'.repeat(32),
    },
  ])
})

describe('a wrong request', () => {
  const cases: [target: string, status: number, path: string | undefined, message: RegExp][] = [
    ['/reports/nothing', 404, undefined, /The reports are connector-tls, in-transit/],
    ['/reports/rejected?from=yesterday', 400, 'from', /is not a time/],
    ['/reports/rejected?from=2026-11-30T00:00:00Z&to=2026-11-29T00:00:00Z', 400, 'from', /earlier than to/],
    ['/reports/rejected?from=2026-12-24T00:00:00Z&to=2026-12-25T00:00:00Z', 400, 'from', /is in the future/],
    ['/reports/rejected?from=2026-01-01T00:00:00Z', 400, 'from', /more than 90 days ago/],
    ['/reports/rejected?timeZone=Mars/Olympus', 400, 'timeZone', /is not a time zone/],
    [`/reports/tls-rpt?connector=${ids.in}`, 400, 'connector', /cannot be used with this report/],
    [`/reports/domain-status?connector=${ids.in}`, 400, 'connector', /cannot be used with this report/],
    ['/reports/rejected?connector=unknown', 400, 'connector', /is not the id or name of a connector/],
    ['/reports/rejected?partner=a..b', 400, 'partner', /is not a domain/],
    ['/reports/rejected?since=2026-11-30T00:00:00Z', 400, 'since', /is now called from/],
  ]
  for (const [target, expected, path, message] of cases)
    test(`${target} gets ${expected}`, async () => {
      const { status, body } = await createTestEventApi({ now, connectors })(`GET ${target}`)
      assert.equal(status, expected)
      const [error] = body.errors
      if (path !== undefined) assert.equal(error.path, path)
      assert.match(error?.message ?? body.detail, message)
    })
})
