import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseInstant } from '../../../cli/input/parse-instant.ts'
import { formatLocalTime } from '../../../cli/input/time-zone.ts'

describe('a time without an offset is a time of the time zone', () => {
  const rows: [text: string, timeZone: string, instant: string][] = [
    ['2026-11-30', 'UTC', '2026-11-30T00:00:00.000Z'],
    ['2026-11-30', 'Europe/Berlin', '2026-11-29T23:00:00.000Z'],
    ['2026-07-01T12:30', 'Europe/Berlin', '2026-07-01T10:30:00.000Z'],
    ['2026-07-01', 'Asia/Kolkata', '2026-06-30T18:30:00.000Z'],
    ['2026-07-01', 'America/New_York', '2026-07-01T04:00:00.000Z'],
    // The days on which the clocks change, at 01:00 UTC.
    ['2026-03-29T00:00', 'Europe/Berlin', '2026-03-28T23:00:00.000Z'],
    ['2026-03-29T12:00', 'Europe/Berlin', '2026-03-29T10:00:00.000Z'],
    ['2026-10-25T00:00', 'Europe/Berlin', '2026-10-24T22:00:00.000Z'],
    ['2026-10-25T12:00', 'Europe/Berlin', '2026-10-25T11:00:00.000Z'],
    ['2026-11-30T12:00Z', 'Europe/Berlin', '2026-11-30T12:00:00.000Z'],
    ['2026-11-30T12:00-05:00', 'Europe/Berlin', '2026-11-30T17:00:00.000Z'],
    ['0001-01-01', '+02:00', '0000-12-31T22:00:00.000Z'],
  ]
  for (const [text, timeZone, instant] of rows)
    test(`${text} in ${timeZone}`, () => assert.equal(parseInstant('--since', text, 0, timeZone), instant))
})

test('a duration does not depend on the time zone', () => {
  const now = Date.parse('2026-11-30T12:00:00Z')
  assert.equal(parseInstant('--since', '2h', now, 'Asia/Kolkata'), '2026-11-30T10:00:00.000Z')
})

test('a local time is shown to the minute', () => {
  assert.equal(formatLocalTime(Date.parse('2026-11-30T23:59:59Z'), 'Europe/Berlin'), '2026-12-01 00:59')
})
