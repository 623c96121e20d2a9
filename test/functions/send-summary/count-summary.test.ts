/** The counts of a summary are the sums of the reports that the API gives over the same days. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countSummary, type SummaryCounts } from '../../../functions/send-summary/count-summary.ts'
import { eventId, type MailEvent } from '../../../shared/contract/events.ts'
import { EventCounts } from '../../../shared/events/event-counts.ts'
import { addHours, startOf } from '../../../shared/events/hours.ts'
import { UnsealedEvents } from '../../../shared/events/unsealed-events.ts'
import { createTestEventApi } from '../../support/event-api.ts'
import { Random } from '../../support/random.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const now = () => startOf('2026-02-10T02') + 30 * 60_000
const from = startOf('2026-02-03T00')
const to = startOf('2026-02-10T00')

const random = new Random(11)
const oneOf = <T>(values: readonly T[]): T => values[random.between(0, values.length)] as T

/** An event with columns by which reports count, in any combination. */
function anyEvent(number: number, hour: string): Partial<MailEvent> {
  const kind = oneOf(['Accepted', 'Rejected', 'Delivered', 'Attempted', 'Bounced'] as const)
  const tlsVersion = oneOf([undefined, 'TLSv1.2', 'TLSv1.3'])
  const partner = oneOf([undefined, ...Array.from({ length: 15 }, (_, index) => `p${index}.example`)])
  const event = {
    id: eventId(kind, number),
    at: `${hour}:${String(random.between(10, 59))}:00.000Z`,
    kind,
    messageId: `m${number}`,
    size: random.between(100, 9000),
    partner,
    tlsVersion,
    tlsResult: tlsVersion === undefined ? oneOf([undefined, 'starttls-not-supported' as const]) : undefined,
    group: tlsVersion === undefined ? undefined : oneOf([undefined, 'X25519', 'X25519MLKEM768']),
    direction: oneOf(['Incoming', 'Originating'] as const),
    clientIp: oneOf([undefined, '192.0.2.1', '192.0.2.2']),
    inboundConnector: oneOf([undefined, 'in1', 'in2']),
    outboundConnector: oneOf([undefined, 'out1']),
    requiredLevel: oneOf([undefined, 'Opportunistic' as const, 'EncryptionOnly' as const]),
    decision: kind === 'Attempted' ? oneOf([undefined, 'TlsNotMet' as const]) : undefined,
    reason: oneOf([undefined, 'InboundTlsRequired', 'Expired', 'RelayingDenied']),
    reply: oneOf([undefined, '550 5.7.1 Refused', '451 4.7.1 Later', '550 no such user']),
    count: kind === 'Rejected' ? oneOf([undefined, 5]) : undefined,
    softwareVersion: '1',
  }
  return event as Partial<MailEvent>
}

const recorded = new SealedEvents()
for (let day = -1, number = 0; day < 8; day++)
  for (const ofDay of ['00', '11', '23']) {
    const hour = `${addHours('2026-02-03T00', 24 * day).slice(0, 10)}T${ofDay}`
    await recorded.record(
      hour,
      Array.from({ length: 60 }, () => anyEvent(number++, hour)),
    )
    await recorded.seal(hour)
  }

type Row = Record<string, string | number | null>
const call = createTestEventApi({ store: recorded.store, now })

async function report(name: string): Promise<Row[]> {
  const span = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`
  const { status, body } = await call(`GET /reports/${name}?${span}`)
  assert.equal(status, 200)
  return body.rows
}

const sum = (rows: readonly Row[], name: string) => rows.reduce((all, row) => all + Number(row[name]), 0)

/** Sums of a column by the values of others, the largest first. */
function sumsBy(rows: readonly Row[], names: readonly string[], name: string): [string, number][] {
  const groups = Map.groupBy(rows, (row) => names.map((each) => row[each] ?? '(none)').join(' '))
  return [...groups]
    .map(([key, ofKey]): [string, number] => [key, sum(ofKey, name)])
    .filter(([, count]) => count > 0)
    .sort(byCount)
}
const byCount = (a: [string, number], b: [string, number]) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)

async function counted(): Promise<SummaryCounts> {
  const { days } = await new EventCounts(recorded.store, new UnsealedEvents(recorded.store, now)).read(
    from,
    to,
  )
  return countSummary(days, { from, to })
}

test('the TLS of sessions is that of the connector report', async () => {
  const rows = await report('connector-tls')
  const { inbound, outbound } = await counted()
  for (const [direction, counts] of Object.entries({ Inbound: inbound, Outbound: outbound })) {
    const ofDirection = rows.filter((row) => row.direction === direction)
    for (const [name, count] of Object.entries(counts)) assert.equal(count, sum(ofDirection, name), name)
  }
  assert.ok(inbound.inClear > 0 && outbound.postQuantum > 0 && outbound.unknown > 0)
  const [share] = [await report('key-exchange')]
  assert.equal(outbound.postQuantum, sum(share, 'postQuantum'))
  assert.equal(outbound.tls12 + outbound.tls13, sum(share, 'messages'))
})

test('the partners in the clear are those of the report on messages in transit', async () => {
  const rows = (await report('in-transit')).filter(({ tls }) => tls === 'None')
  const { inClear, inbound, outbound } = await counted()
  assert.deepEqual(
    inClear
      .map(({ direction, name, count }) => [`${direction} ${name}`, count] as [string, number])
      .sort(byCount),
    sumsBy(rows, ['direction', 'domain'], 'sent'),
  )
  assert.deepEqual(
    inClear,
    inClear.toSorted((a, b) => b.count - a.count),
  )
  assert.equal(
    inClear.reduce((all, { count }) => all + count, 0),
    inbound.inClear + outbound.inClear,
  )
})

test('refusals and bounces are those of their reports', async () => {
  const { refusals, bounces } = await counted()
  assert.deepEqual(
    refusals.map(({ name, count }) => [name, count] as [string, number]).sort(byCount),
    sumsBy(await report('rejected'), ['reason'], 'count'),
  )
  assert.deepEqual(
    bounces.map(({ name, reason, count }) => [`${name} ${reason}`, count] as [string, number]).sort(byCount),
    sumsBy(await report('non-delivery'), ['code', 'reason'], 'count'),
  )
  assert.deepEqual(
    refusals,
    refusals.toSorted((a, b) => b.count - a.count),
  )
})

test('the partners beyond the largest 10,000 are one row, which is the last', async () => {
  const many = new SealedEvents()
  const hour = '2026-02-03T10'
  const partners = 10_005
  const events = Array.from({ length: partners + 3 }, (_, number) => ({
    id: eventId('Accepted', `many${number}`),
    at: `${hour}:05:00.000Z`,
    kind: 'Accepted' as const,
    messageId: `m${number}`,
    partner: `p${number % partners}.example`,
    clientIp: '192.0.2.1',
    softwareVersion: '1',
  }))
  await many.record(hour, events)
  await many.seal(hour)
  const { days } = await new EventCounts(many.store, new UnsealedEvents(many.store, now)).read(from, to)
  const { inClear, inbound } = countSummary(days, { from, to })
  assert.equal(inbound.inClear, partners + 3)
  assert.deepEqual(
    inClear.slice(0, 4).map(({ count }) => count),
    [2, 2, 2, 1],
  )
  assert.deepEqual(inClear.slice(10_000), [{ direction: 'Inbound', name: '(others)', count: 5 }])
})
