/** Counts of sealed hours and of hours that are not sealed yet: each event counts once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sealHours } from '../../../functions/seal-hour/seal-hours.ts'
import { eventId, type MailEvent } from '../../../shared/contract/events.ts'
import { EventCounts } from '../../../shared/events/event-counts.ts'
import { addHours, hourOf, hoursBetween, startOf } from '../../../shared/events/hours.ts'
import { UnsealedEvents } from '../../../shared/events/unsealed-events.ts'
import { SealedEvents } from '../../support/sealed-events.ts'

const current = '2026-11-30T21'
const now = startOf(current) + 30 * 60_000

const event = (number: number, hour: string, fields: Partial<MailEvent> = {}): Partial<MailEvent> => ({
  id: eventId('Delivered', number),
  at: `${hour}:10:00.000Z`,
  kind: 'Delivered',
  messageId: `m${number}`,
  softwareVersion: '1',
  ...fields,
})

async function countIn(events: SealedEvents, from = addHours(current, -48), to = addHours(current, 1)) {
  const { days, soFar } = await new EventCounts(
    events.store,
    new UnsealedEvents(events.store, () => now),
  ).read(startOf(from), startOf(to))
  const count = days.flatMap(([, rows]) => rows).reduce((sum, row) => sum + row.events, 0)
  return { count, soFar: soFar === null ? null : hourOf(soFar) }
}

/** Seals the hour, as a run by the schedule does. */
const seal = (events: SealedEvents, hour: string, at = startOf(addHours(hour, 1)) + 7 * 60_000) =>
  sealHours(
    { hour },
    {
      ...events.dependencies,
      invoke: async () => {},
      onSealed() {},
      onOverdue() {},
      remainingMs: () => 900_000,
      now: () => at,
    },
  )

test('sealed hours and the current hour are counted together, and the span says since when they may grow', async () => {
  const events = new SealedEvents()
  for (const hour of ['2026-11-30T19', '2026-11-30T20']) {
    await events.record(hour, [event(startOf(hour), hour), event(startOf(hour) + 1, hour)])
    await seal(events, hour)
  }
  await events.record(current, [event(1, current)])
  assert.deepEqual(await countIn(events), { count: 5, soFar: current })
})

test('a span that ends before the first unsealed hour is complete', async () => {
  const events = new SealedEvents()
  await events.record('2026-11-30T20', [event(1, '2026-11-30T20')])
  await seal(events, '2026-11-30T20')
  assert.deepEqual(await countIn(events, '2026-11-29T00', current), { count: 1, soFar: null })
})

test('an event of the end of a sealed hour that was recorded in the next one is counted', async () => {
  const events = new SealedEvents()
  await events.record('2026-11-30T20', [event(1, '2026-11-30T20')])
  await seal(events, '2026-11-30T20')
  await events.record(current, [event(2, '2026-11-30T20', { at: '2026-11-30T20:59:59.000Z' })])
  assert.deepEqual(await countIn(events, '2026-11-29T00', current), { count: 2, soFar: null })
})

test('events outside the span are left out, also those of its first and last day', async () => {
  const events = new SealedEvents()
  for (const [number, hour] of [
    '2026-11-30T17',
    '2026-11-30T18',
    '2026-11-30T19',
    '2026-11-30T20',
  ].entries()) {
    await events.record(hour, [event(number, hour)])
    await seal(events, hour)
  }
  await events.record(current, [event(10, '2026-11-30T18'), event(11, current)])
  assert.equal((await countIn(events, '2026-11-30T18', '2026-11-30T20')).count, 3)
  assert.equal((await countIn(events, '2026-11-30T18', current)).count, 4)
})

test('a copy of an event that was sealed long ago counts once', async () => {
  const events = new SealedEvents()
  for (const hour of ['2026-11-30T09', '2026-11-30T20']) {
    await events.record(hour, [event(startOf(hour), hour)])
    await seal(events, hour, now)
  }
  for (const hour of hoursBetween('2026-11-30T10', '2026-11-30T19')) await seal(events, hour)
  await events.record(current, [
    event(startOf('2026-11-30T09'), '2026-11-30T09', { at: '2026-11-30T10:00:01.000Z' }),
    event(1, '2026-11-30T09'),
  ])
  assert.equal((await countIn(events)).count, 3)
})

test('a copy of a sealed event, and a copy in the current hour, count once', async () => {
  const events = new SealedEvents()
  await events.record('2026-11-30T20', [event(1, '2026-11-30T20')])
  await seal(events, '2026-11-30T20')
  await events.record(current, [event(1, '2026-11-30T20'), event(2, current), event(2, current)])
  await events.record(current, [event(2, current)])
  assert.equal((await countIn(events)).count, 2)
})

test('an hour that was sealed before its end counts once, also the events after that seal', async () => {
  const events = new SealedEvents()
  await events.record('2026-11-30T20', [event(1, '2026-11-30T20')])
  await seal(events, '2026-11-30T20')
  await events.record(current, [event(2, current)])
  await seal(events, current, now)
  await events.record(current, [event(3, current)])
  assert.deepEqual(await countIn(events), { count: 3, soFar: current })
})

test('an hour whose seal is late is counted from its raw events', async () => {
  const events = new SealedEvents()
  await events.record('2026-11-30T18', [event(0, '2026-11-30T18')])
  await seal(events, '2026-11-30T18')
  await events.record('2026-11-30T19', [event(1, '2026-11-30T19')])
  await events.record('2026-11-30T20', [event(2, '2026-11-30T20')])
  assert.deepEqual(await countIn(events), { count: 3, soFar: '2026-11-30T19' })
})

test('a late event of another day is counted on its day', async () => {
  const events = new SealedEvents()
  await events.record(current, [event(1, '2026-11-29T03')])
  const { days } = await new EventCounts(events.store, new UnsealedEvents(events.store, () => now)).read(
    startOf('2026-11-29T00'),
    startOf(addHours(current, 1)),
  )
  assert.deepEqual(
    days.filter(([, rows]) => rows.length > 0).map(([date]) => date),
    ['2026-11-29'],
  )
})

test('too many raw events are left out, and the span says so', async () => {
  const events = new SealedEvents()
  await events.record('2026-11-30T20', [event(1, '2026-11-30T20')])
  await seal(events, '2026-11-30T20')
  const many = Array.from({ length: 40_000 }, (_, number) =>
    event(number + 10, current, { reply: 'x'.repeat(300) }),
  )
  await events.record(current, many)
  assert.deepEqual(await countIn(events), { count: 1, soFar: addHours(current, -1) })
  assert.equal((await countIn(events, '2026-11-29T00', current)).soFar, addHours(current, -1))
})

test('a deployment without events has no counts', async () => {
  assert.deepEqual(await countIn(new SealedEvents()), { count: 0, soFar: '2026-11-30T20' })
})
