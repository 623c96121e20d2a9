import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { DuckDbQuery } from '../../../../infra/local/aws/duckdb-query.ts'
import { requiredDays } from '../../../../infra/local/aws/required-days.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-days-'))
const query = await DuckDbQuery.open(folder)
after(() => {
  query.close()
  rmSync(folder, { recursive: true })
})

const days = ['2026-11-28', '2026-11-29', '2026-11-30', '2026-12-01']
const all = days

/** The conditions, and which of the days a query with them needs. */
const rows: [conditions: string, required: string[]][] = [
  ["WHERE day = '2026-11-30'", ['2026-11-30']],
  ['WHERE "day" >= \'2026-11-30\'', ['2026-11-30', '2026-12-01']],
  ["WHERE day > '2026-11-29' AND day < '2026-12-01'", ['2026-11-30']],
  ["WHERE day <= '2026-11-28'", ['2026-11-28']],
  ["WHERE kind = 'Delivered' AND day BETWEEN '2026-11-29' AND '2026-11-30'", ['2026-11-29', '2026-11-30']],
  ["WHERE day IN ('2026-11-28', '2026-12-01', '2027-01-01')", ['2026-11-28', '2026-12-01']],
  ["WHERE events.DAY = '2026-11-30'", ['2026-11-30']],
  ["WHERE day = '2026-11-28' OR day = '2026-11-30' AND hour = 3", ['2026-11-28', '2026-11-30']],
  ["WHERE day = '2026-11-28' OR kind = 'Delivered'", all],
  ["WHERE (day, hour) = ('2026-11-30', 3)", all],
  ["WHERE NOT day = '2026-11-30'", all],
  ["WHERE day <> '2026-11-30'", all],
  ["WHERE day NOT IN ('2026-11-30')", all],
  ["WHERE day NOT BETWEEN '2026-11-29' AND '2026-11-30'", all],
  ["WHERE day BETWEEN '2026-11-29' AND partner", ['2026-11-29', '2026-11-30', '2026-12-01']],
  ["WHERE day IN ('2026-11-30', partner)", all],
  ["WHERE day = lower('2026-11-30')", all],
  ["WHERE substr(day, 1, 7) = '2026-11'", all],
  ["WHERE other.day = '2026-11-30'", all],
  ['WHERE hour = 3', all],
  ['', all],
]

for (const [conditions, required] of rows)
  test(`a query needs ${required.length} of ${days.length} days with: ${conditions}`, async () => {
    const tree = await query.parse(`SELECT count(*) AS n FROM events ${conditions}`)
    assert.deepEqual(days.filter(requiredDays(tree, 'events')), required)
  })

const wholeQueries: [sql: string, required: string[]][] = [
  ['SELECT 1 AS n', []],
  ["SELECT day FROM other WHERE day = '2026-11-30'", []],
  ["SELECT e.day FROM Events AS e WHERE e.day = '2026-11-30'", ['2026-11-30']],
  ["SELECT e.day FROM events AS e WHERE events.day = '2026-11-30'", all],
  [
    "WITH sent AS (SELECT * FROM events WHERE day = '2026-11-29') SELECT * FROM sent WHERE day = '2026-11-30'",
    ['2026-11-29'],
  ],
  [
    "SELECT id FROM events WHERE day = '2026-11-28' UNION ALL SELECT id FROM events WHERE day = '2026-12-01'",
    ['2026-11-28', '2026-12-01'],
  ],
  [
    "SELECT id FROM events WHERE day = '2026-11-30' AND id IN (SELECT id FROM events WHERE day = '2026-11-28')",
    ['2026-11-28', '2026-11-30'],
  ],
  ["SELECT id FROM events AS e (day, id) WHERE day = '2026-11-30'", all],
  ["SELECT a.id FROM events a JOIN events b ON a.id = b.id WHERE a.day = '2026-11-30'", all],
  ["SELECT (SELECT count(*) FROM events b) AS n FROM events WHERE day = '2026-11-30'", all],
]

for (const [sql, required] of wholeQueries)
  test(`${required.length} of ${days.length} days are required by: ${sql}`, async () => {
    assert.deepEqual(days.filter(requiredDays(await query.parse(sql), 'events')), required)
  })
