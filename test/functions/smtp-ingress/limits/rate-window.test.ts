import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  applyReport,
  emptyWindow,
  hasRoom,
  isReportOverdue,
  isReportUrgent,
  minuteOf,
  type RateWindow,
} from '../../../../functions/smtp-ingress/limits/rate-window.ts'

const window = ({
  taken = 0,
  counters = 0,
  ...fields
}: Partial<Omit<RateWindow, 'others'>> & { taken?: number; counters?: number }): RateWindow => ({
  ...emptyWindow(),
  ...fields,
  others: { messages: taken, counters },
})

describe('room for a message', () => {
  const rows: { name: string; known: RateWindow; limit: number; room: boolean }[] = [
    { name: 'exists at first', known: emptyWindow(), limit: 1, room: true },
    { name: 'exists below the limit', known: window({ ownCount: 9 }), limit: 10, room: true },
    { name: 'ends at the limit', known: window({ ownCount: 10 }), limit: 10, room: false },
    { name: 'is what others left over', known: window({ ownCount: 4, taken: 5 }), limit: 10, room: true },
    {
      name: 'ends when others used the rest',
      known: window({ ownCount: 4, taken: 6 }),
      limit: 10,
      room: false,
    },
    {
      name: 'does not exist when others used the limit',
      known: window({ taken: 10 }),
      limit: 10,
      room: false,
    },
    {
      name: 'ends when the limit is lowered below the count',
      known: window({ ownCount: 8 }),
      limit: 5,
      room: false,
    },
  ]
  for (const { name, known, limit, room } of rows) it(name, () => assert.equal(hasRoom(known, limit), room))
})

describe('a response to a report', () => {
  const asked = window({ ownCount: 12, counters: 5, isFailing: true })
  it('updates the counts of the others and what was reported', () =>
    assert.deepEqual(
      applyReport(asked, 10, { messages: 30, counters: 9 }),
      window({ ownCount: 12, reportedCount: 10, taken: 30, counters: 9 }),
    ))
  it('does not reduce the expected number of other processes', () =>
    assert.equal(applyReport(asked, 10, { messages: 0, counters: 0 }).others.counters, 5))
})

describe('a report is overdue', () => {
  const rows: { name: string; known: RateWindow; at: number; due: boolean }[] = [
    { name: 'after the first message', known: window({ ownCount: 1 }), at: 5, due: true },
    { name: 'never without messages', known: emptyWindow(), at: 5, due: false },
    {
      name: 'never when all is reported',
      known: window({ ownCount: 3, reportedCount: 3, reportedAt: 0 }),
      at: 9000,
      due: false,
    },
    {
      name: 'not within a second of the last',
      known: window({ ownCount: 4, reportedCount: 3, reportedAt: 1 }),
      at: 1000,
      due: false,
    },
    {
      name: 'after a second',
      known: window({ ownCount: 4, reportedCount: 3, reportedAt: 1 }),
      at: 1001,
      due: true,
    },
  ]
  for (const { name, known, at, due } of rows) it(name, () => assert.equal(isReportOverdue(known, at), due))
})

describe('a report is urgent', () => {
  const rows: { name: string; known: RateWindow; limit: number; much: boolean }[] = [
    {
      name: 'after an eighth, when no other process is known',
      known: window({ ownCount: 10 }),
      limit: 80,
      much: true,
    },
    { name: 'not after less than an eighth', known: window({ ownCount: 9 }), limit: 80, much: false },
    {
      name: 'after an eighth of the rest',
      known: window({ ownCount: 45, reportedCount: 40 }),
      limit: 80,
      much: true,
    },
    {
      name: 'after half a share of more than four processes',
      known: window({ ownCount: 4, counters: 9 }),
      limit: 80,
      much: true,
    },
    {
      name: 'after half a share of what others left',
      known: window({ ownCount: 2, taken: 40, counters: 9 }),
      limit: 80,
      much: true,
    },
    {
      name: 'after each message near the limit',
      known: window({ ownCount: 1, taken: 78 }),
      limit: 80,
      much: true,
    },
    {
      name: 'after each message beyond the limit',
      known: window({ ownCount: 1, taken: 99 }),
      limit: 80,
      much: true,
    },
    {
      name: 'never when all is reported',
      known: window({ ownCount: 40, reportedCount: 40 }),
      limit: 80,
      much: false,
    },
    {
      name: 'never after a failed report',
      known: window({ ownCount: 80, isFailing: true }),
      limit: 80,
      much: false,
    },
  ]
  for (const { name, known, limit, much } of rows)
    it(name, () => assert.equal(isReportUrgent(known, limit), much))
})

describe('a minute', () => {
  it('starts with the clock\u2019s minute', () => {
    assert.equal(minuteOf(0), 0)
    assert.equal(minuteOf(59_999), 0)
    assert.equal(minuteOf(60_000), 1)
  })
})
