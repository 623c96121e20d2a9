import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExpression } from '../../../../infra/local/cloudwatch/metric-math.ts'

const values: Record<string, number> = { a: 6, b: 3, zero: 0 }

const cases: [text: string, value: number | null][] = [
  ['a', 6],
  ['missing', null],
  ['a + b + 1.5', 10.5],
  ['a + missing', null],
  ['a / b / 2', 1],
  ['1 + a / b', 3],
  ['FILL(missing, 0) + FILL(a, 0)', 6],
  ['FILL(zero, 7)', 0],
  ['MAX([FILL(a, 0), FILL(b, 0) / 4])', 6],
  ['MIN([a, b])', 3],
  ['MIN([missing, b])', 3],
  ['MAX([missing])', null],
]
for (const [text, value] of cases)
  test(`${text} is ${value}`, () => {
    assert.equal(
      parseExpression(text)((id) => values[id] ?? null),
      value,
    )
  })

for (const text of [
  'a - b',
  'SUM([a])',
  'a b',
  'FILL(a)',
  'MAX(a)',
  'a +',
  '',
  "SEARCH('x', 'Sum')",
  'FILL(a, 0',
])
  test(`"${text}" is not implemented`, () => assert.throws(() => parseExpression(text), /is not implemented/))
