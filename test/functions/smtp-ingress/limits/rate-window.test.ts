import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  applyReport,
  emptyWindow,
  isBelowLimit,
  isReportOverdue,
  isReportUrgent,
  minuteOf,
  type RateWindow,
} from '../../../../functions/smtp-ingress/limits/rate-window.ts'

const window = ({
  otherMessages = 0,
  counters = 0,
  ...fields
}: Partial<Omit<RateWindow, 'others'>> & { otherMessages?: number; counters?: number }): RateWindow => ({
  ...emptyWindow(),
  ...fields,
  otherProcesses: { messages: otherMessages, counters },
})

describe('isBelowLimit', () => {
  const rows: { name: string; state: RateWindow; limit: number; expected: boolean }[] = [
    { name: 'is true without messages', state: emptyWindow(), limit: 1, expected: true },
    { name: 'is true below the limit', state: window({ ownCount: 9 }), limit: 10, expected: true },
    { name: 'is false at the limit', state: window({ ownCount: 10 }), limit: 10, expected: false },
    {
      name: 'is true when own messages and those of other processes are below the limit',
      state: window({ ownCount: 4, otherMessages: 5 }),
      limit: 10,
      expected: true,
    },
    {
      name: 'is false when own messages and those of other processes reach the limit',
      state: window({ ownCount: 4, otherMessages: 6 }),
      limit: 10,
      expected: false,
    },
    {
      name: 'is false when the messages of other processes reach the limit',
      state: window({ otherMessages: 10 }),
      limit: 10,
      expected: false,
    },
    {
      name: 'is false when the limit was lowered below the count',
      state: window({ ownCount: 8 }),
      limit: 5,
      expected: false,
    },
  ]
  for (const { name, state, limit, expected } of rows)
    it(name, () => assert.equal(isBelowLimit(state, limit), expected))
})

describe('applyReport', () => {
  const reportingWindow = window({ ownCount: 12, counters: 5, isFailing: true })
  it('sets the counts of the other processes and the reported count, and ends a failure', () =>
    assert.deepEqual(
      applyReport(reportingWindow, 10, { messages: 30, counters: 9 }),
      window({ ownCount: 12, reportedCount: 10, otherMessages: 30, counters: 9 }),
    ))
  it('does not reduce the number of other processes', () =>
    assert.equal(applyReport(reportingWindow, 10, { messages: 0, counters: 0 }).otherProcesses.counters, 5))
})

describe('a report of the count to the other processes is overdue', () => {
  const rows: { name: string; state: RateWindow; at: number; expected: boolean }[] = [
    { name: 'at the first message', state: window({ ownCount: 1 }), at: 5, expected: true },
    { name: 'never without messages', state: emptyWindow(), at: 5, expected: false },
    {
      name: 'never when all messages are reported',
      state: window({ ownCount: 3, reportedCount: 3, reportedAt: 0 }),
      at: 9000,
      expected: false,
    },
    {
      name: 'not within a second of the last report',
      state: window({ ownCount: 4, reportedCount: 3, reportedAt: 1 }),
      at: 1000,
      expected: false,
    },
    {
      name: 'a second after the last report',
      state: window({ ownCount: 4, reportedCount: 3, reportedAt: 1 }),
      at: 1001,
      expected: true,
    },
  ]
  for (const { name, state, at, expected } of rows)
    it(name, () => assert.equal(isReportOverdue(state, at), expected))
})

describe('a report of the count to the other processes is urgent', () => {
  const rows: { name: string; state: RateWindow; limit: number; expected: boolean }[] = [
    {
      name: 'when an eighth of the limit is unreported and no other process is known',
      state: window({ ownCount: 10 }),
      limit: 80,
      expected: true,
    },
    {
      name: 'not when less than an eighth of the limit is unreported',
      state: window({ ownCount: 9 }),
      limit: 80,
      expected: false,
    },
    {
      name: 'when an eighth of the messages still permitted is unreported',
      state: window({ ownCount: 45, reportedCount: 40 }),
      limit: 80,
      expected: true,
    },
    {
      name: 'when half of its share of the limit is unreported, among ten processes',
      state: window({ ownCount: 4, counters: 9 }),
      limit: 80,
      expected: true,
    },
    {
      name: 'when half of its share of the messages still permitted is unreported, among ten processes',
      state: window({ ownCount: 2, otherMessages: 40, counters: 9 }),
      limit: 80,
      expected: true,
    },
    {
      name: 'at each message near the limit',
      state: window({ ownCount: 1, otherMessages: 78 }),
      limit: 80,
      expected: true,
    },
    {
      name: 'at each message beyond the limit',
      state: window({ ownCount: 1, otherMessages: 99 }),
      limit: 80,
      expected: true,
    },
    {
      name: 'never when all messages are reported',
      state: window({ ownCount: 40, reportedCount: 40 }),
      limit: 80,
      expected: false,
    },
    {
      name: 'never after a failed report',
      state: window({ ownCount: 80, isFailing: true }),
      limit: 80,
      expected: false,
    },
  ]
  for (const { name, state, limit, expected } of rows)
    it(name, () => assert.equal(isReportUrgent(state, limit), expected))
})

describe('minuteOf', () => {
  it('changes when a minute of the clock begins', () => {
    assert.equal(minuteOf(0), 0)
    assert.equal(minuteOf(59_999), 0)
    assert.equal(minuteOf(60_000), 1)
  })
})
