/**
 * The SQL that searches may use. The column of Athena's results is from the documentation of Trino, on which engine version
 * 3 of Athena is based (https://trino.io/docs/current/); the same SQL gives the same text here, by DuckDB.
 *
 * Queries must also keep to these rules, in which DuckDB is less strict than Trino or differs from it:
 * - Each column has an alias in small letters, which GROUP BY does not use.
 * - Both sides of a comparison have the same type. A timestamp is compared to `TIMESTAMP '2026-11-30 20:00:00.000'`.
 * - `max_by` and `min_by` get no null as the first argument: DuckDB ignores it.
 * - `approx_distinct` has no FILTER here. Its result differs by some percent, as that of Trino does from the exact number.
 * - Not in both, or different: casts of timestamps to text, `concat` and `greatest` with null, time zones, `now()`,
 *   `date_format`, `approx_percentile`, `substr` from 0, and regular expressions beyond what RE2 and Java have in common.
 */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { EventSearches } from '../../../support/local/event-searches.ts'

const searches = await EventSearches.start()
after(() => searches.close())

/** Pages of https://trino.io/docs/current/, and the SQL with its result as Athena gives it. */
const pages: Readonly<Record<string, readonly (readonly [sql: string, result: string | null])[]>> = {
  'functions/aggregate': [
    ['count_if(n > 1) FROM (VALUES (1), (2), (3), (NULL)) t(n)', '2'],
    ['count_if(n > 9) FROM (VALUES (1)) t(n)', '0'],
    ['count_if(n > 1) FILTER (WHERE n < 3) FROM (VALUES (1), (2), (3)) t(n)', '1'],
    ["max_by(x, y) FROM (VALUES ('a', 1), ('b', 3), ('c', 2), ('d', NULL)) t(x, y)", 'b'],
    ["min_by(x, y) FROM (VALUES ('a', 2), ('b', 3), ('c', 1), ('d', NULL)) t(x, y)", 'c'],
    ["max_by(x, y) FROM (VALUES ('a', 1)) t(x, y) WHERE y > 1", null],
    ['bool_or(b) FROM (VALUES (false), (true), (NULL)) t(b)', 'true'],
    ['bool_or(b) FROM (VALUES (false), (NULL)) t(b)', 'false'],
    ['bool_or(b) FROM (VALUES (true)) t(b) WHERE NOT b', null],
    ["array_agg(x ORDER BY x DESC) FROM (VALUES ('a'), ('b'), ('c')) t(x)", '[c, b, a]'],
    ["array_agg(DISTINCT x) FROM (VALUES ('a'), ('a')) t(x)", '[a]'],
    ["array_agg(x) FILTER (WHERE x <> 'a') FROM (VALUES ('a'), ('b')) t(x)", '[b]'],
    ["array_agg(x) FROM (VALUES ('a')) t(x) WHERE x = 'b'", null],
    ["approx_distinct(x) FROM (VALUES ('a'), ('b'), ('a'), (NULL)) t(x)", '2'],
    ["count(DISTINCT x) FROM (VALUES ('a'), ('b'), ('a'), (NULL)) t(x)", '2'],
    ['count(*) FILTER (WHERE n > 1) FROM (VALUES (1), (2), (3)) t(n)', '2'],
    ['sum(n) FROM (VALUES (2147483647), (2147483647)) t(n)', '4294967294'],
    ['sum(n) FROM (VALUES (1)) t(n) WHERE n > 1', null],
    ['avg(n) FROM (VALUES (1), (2)) t(n)', '1.5'],
    ["max(x) FROM (VALUES ('a'), ('B')) t(x)", 'a'],
  ],
  'functions/array': [
    ["slice(ARRAY['a', 'b', 'c', 'd'], 2, 2)", '[b, c]'],
    ["slice(ARRAY['a', 'b'], 1, 5)", '[a, b]'],
    ["array_join(ARRAY['a', NULL, 'c, d'], ' ')", 'a c, d'],
  ],
  'functions/comparison': [
    ["'50%' LIKE '50!%' ESCAPE '!'", 'true'],
    ["'50 percent' LIKE '50!%' ESCAPE '!'", 'false'],
    ["'a_b' LIKE 'a\\_b' ESCAPE '\\'", 'true'],
    ["'acb' LIKE 'a\\_b' ESCAPE '\\'", 'false'],
    ["'A' LIKE 'a'", 'false'],
    ["'b' BETWEEN 'a' AND 'c'", 'true'],
    ["'b' IN ('a', 'b')", 'true'],
    ['NULL IS DISTINCT FROM 1', 'true'],
  ],
  'functions/conditional': [
    ["coalesce(NULL, 'a', 'b')", 'a'],
    ["CASE WHEN 1 > 2 THEN 'a' WHEN 2 > 1 THEN 'b' ELSE 'c' END", 'b'],
    ["CASE 3 WHEN 1 THEN 'a' END", null],
    ["nullif('', '')", null],
  ],
  'functions/conversion': [
    ['CAST(12 AS varchar)', '12'],
    ['CAST(true AS varchar)', 'true'],
    ["CAST('12' AS integer)", '12'],
    ["try_cast('x' AS integer)", null],
  ],
  'functions/datetime': [
    ["date_diff('second', TIMESTAMP '2026-11-30 00:00:00', TIMESTAMP '2026-12-01 00:00:00')", '86400'],
    ["date_diff('hour', TIMESTAMP '2026-11-30 10:59:00', TIMESTAMP '2026-11-30 11:01:00')", '0'],
    ["date_diff('minute', TIMESTAMP '2026-11-30 10:02:00', TIMESTAMP '2026-11-30 10:00:30')", '-1'],
    [
      "date_diff('millisecond', TIMESTAMP '2026-11-30 10:00:00.001', TIMESTAMP '2026-11-30 10:00:00.124')",
      '123',
    ],
    ["date_trunc('hour', TIMESTAMP '2026-11-30 10:59:59.999')", '2026-11-30 10:00:00.000'],
    ["date_trunc('week', TIMESTAMP '2026-12-02 10:00:00.000')", '2026-11-30 00:00:00.000'],
    ["TIMESTAMP '2026-11-30 10:00:00.000' + INTERVAL '1' DAY", '2026-12-01 10:00:00.000'],
  ],
  'functions/math': [
    ['7 / 2', '3'],
    ['-7 / 2', '-3'],
    ['7 % 2', '1'],
  ],
  'functions/regexp': [
    ["regexp_like('1a 2b 14m', '\\d+b')", 'true'],
    ["regexp_like('1a 2b 14m', '^\\d+b$')", 'false'],
    ["regexp_like('MX1', '(?i)mx')", 'true'],
  ],
  'functions/string': [
    ["lower('ÄBC')", 'äbc'],
    ["strpos('a.example', '.')", '2'],
    ["strpos('a', '.')", '0'],
    ["strpos('ä.b', '.')", '2'],
    ["substr('partner.example', 9)", 'example'],
    ["substr('partner.example', 1, 7)", 'partner'],
    ["substr('partner.example', -7)", 'example'],
    ["substr('abc', 2, 9)", 'bc'],
    ["length('ä')", '1'],
    ["split_part('a@b.example', '@', 2)", 'b.example'],
    ["starts_with('abc', 'ab')", 'true'],
    ["replace('a.b.c', '.', '-')", 'a-b-c'],
    ["'a' || 'b'", 'ab'],
    ["'a' || NULL", null],
  ],
  'functions/window': [
    ['row_number() OVER (PARTITION BY x ORDER BY n) FROM (VALUES (1, 2)) t(x, n)', '1'],
    ['sum(n) OVER (ORDER BY n) FROM (VALUES (1), (2)) t(n) ORDER BY n DESC LIMIT 1', '3'],
  ],
  'sql/select': [
    ['n FROM (VALUES (1), (2), (3)) t(n) ORDER BY n DESC OFFSET 1 LIMIT 1', '2'],
    ['n FROM (VALUES (NULL), (1)) t(n) ORDER BY n LIMIT 1', '1'],
    ['n FROM (VALUES (NULL), (1)) t(n) ORDER BY n DESC LIMIT 1', '1'],
    ['count(*) FROM (SELECT 1 AS n UNION ALL SELECT 1 AS n) t', '2'],
    ['t.n FROM (VALUES (1), (2)) t(n) JOIN (VALUES (2), (3)) u(n) ON t.n = u.n', '2'],
    ['sum(n) FROM (VALUES (1), (2), (3)) t(n) GROUP BY n % 2 HAVING count(*) > 1', '4'],
    ["'O''Brien'", "O'Brien"],
  ],
}

/** Splits off the clauses after the expression, to which the alias belongs. */
const aliased = (sql: string): string => sql.replace(/^(.*?)( FROM \(.*)?$/, 'SELECT $1 AS "value"$2')

for (const [page, rows] of Object.entries(pages))
  describe(`SQL of https://trino.io/docs/current/${page}.html has the result of Trino here too:`, () => {
    for (const [sql, expected] of rows)
      test(sql, async () => {
        const { columns, rows: results } = await searches.run(aliased(sql))
        assert.deepEqual([columns, results], [['value'], [[expected]]])
      })
  })
