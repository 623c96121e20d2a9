import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  daysBetween,
  periodState,
  periodTimes,
  readPeriod,
} from '../../../../../functions/console/app/components/period.ts'

const now = Date.parse('2026-12-01T08:35:00Z')

describe('a period of days', () => {
  test('is read from the address, and written to it', () => {
    for (const state of [
      { days: '30', from: '', to: '' },
      { days: '', from: '2026-02-03', to: '2026-02-04' },
    ])
      assert.deepEqual(periodState(readPeriod(state)), state)
    assert.deepEqual(periodState(null), { days: '', from: '', to: '' })
  })
  for (const state of [
    {},
    { days: '0' },
    { days: '1.5' },
    { days: 'week' },
    { from: '2026-02-03' },
    { from: '2026-02-04', to: '2026-02-03' },
    { from: '2026-13-01', to: '2026-13-02' },
  ])
    test(`is absent from ${JSON.stringify(state)}`, () => assert.equal(readPeriod(state), null))

  test('includes the present day', () =>
    assert.deepEqual(periodTimes({ kind: 'Last', days: 7 }, 'UTC', now), {
      from: '2026-11-25T00:00:00.000Z',
      to: undefined,
    }))
  test('has the days of the time zone', () =>
    assert.deepEqual(
      periodTimes({ kind: 'Days', from: '2026-10-25', to: '2026-10-25' }, 'Europe/Berlin', now),
      { from: '2026-10-24T22:00:00.000Z', to: '2026-10-25T23:00:00.000Z' },
    ))
  for (const [timeZone, from] of [
    ['Pacific/Kiritimati', '2026-11-30T10:00:00.000Z'],
    ['Pacific/Pago_Pago', '2026-11-30T11:00:00.000Z'],
    ['Asia/Kathmandu', '2026-11-30T18:15:00.000Z'],
  ])
    test(`begins at ${from} in ${timeZone}`, () =>
      assert.equal(periodTimes({ kind: 'Last', days: 1 }, timeZone as string, now).from, from))
  test('lists its days', () =>
    assert.deepEqual(daysBetween('2026-02-28', '2026-03-01'), ['2026-02-28', '2026-03-01']))
})
