/** The writes per second that new tables and indexes carry at once, by warmMessagesPerSecond. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Json, resources } from '../support/synthesis.ts'

/** @returns write units per second by table or index; 0 where AWS's start suffices */
function warmWrites(mailflow: Record<string, unknown>): Record<string, number> {
  const entries = resources(mailflow)
    .filter(({ Type }) => Type === 'AWS::DynamoDB::Table')
    .flatMap(({ id, Properties }) => [
      [id.replace(/Table[0-9A-F]{8}$/, ''), Properties.WarmThroughput?.WriteUnitsPerSecond ?? 0],
      ...(Properties.GlobalSecondaryIndexes ?? []).map(({ IndexName, WarmThroughput }: Json) => [
        IndexName,
        WarmThroughput?.WriteUnitsPerSecond ?? 0,
      ]),
    ])
  return Object.fromEntries(entries)
}

const rows: [settings: Record<string, unknown>, expected: Record<string, number>][] = [
  [{}, { Messages: 5000, byTime: 0, byWaiting: 0, Connectors: 0, Transport: 0 }],
  [{ warmMessagesPerSecond: 800 }, { Messages: 0, byTime: 0, byWaiting: 0, Connectors: 0, Transport: 0 }],
  [
    { warmMessagesPerSecond: 10_000 },
    { Messages: 50_000, byTime: 12_500, byWaiting: 10_000, Connectors: 0, Transport: 12_500 },
  ],
]
for (const [settings, expected] of rows)
  test(`the tables with ${JSON.stringify(settings)}`, () => {
    assert.deepEqual(warmWrites(settings), expected)
  })
