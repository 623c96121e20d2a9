/** The mail of a partner by TLS version and day. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  maxMessagesOfDay,
  tlsByDay,
  usedColumns,
} from '../../../../../../functions/console/app/screens/partners/tls-by-day.ts'

const period = { now: Date.parse('2026-12-01T08:30:00Z'), days: 3 }
const rows = [
  { date: '2026-12-01', direction: 'Inbound', tls13: 2, tls12: 1, inClear: 0 },
  { date: '2026-12-01', direction: 'Inbound', tls13: 3 },
  { date: '2026-11-29', direction: 'Outbound', inClear: 4 },
]

test('each day of the period has the mail of a direction by version', () => {
  const none = { inClear: 0, tls12: 0, tls13: 0, unknown: 0 }
  assert.deepEqual(tlsByDay(rows, 'Inbound', period), [
    { date: '2026-11-29', ...none },
    { date: '2026-11-30', ...none },
    { date: '2026-12-01', ...none, tls12: 1, tls13: 5 },
  ])
})

test('versions without mail are left out, and the axis ends at the largest day', () => {
  const inbound = tlsByDay(rows, 'Inbound', period)
  assert.deepEqual([usedColumns(inbound), maxMessagesOfDay(inbound)], [['tls12', 'tls13'], 6])
  assert.deepEqual(usedColumns(tlsByDay(rows, 'Outbound', period)), ['inClear'])
  assert.deepEqual([usedColumns([]), maxMessagesOfDay([])], [[], 0])
})
