import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { dayMs, minuteMs } from '../../../shared/contract/durations.ts'
import { ChunkingFaults } from '../../../shared/transport/chunking-faults.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms)
const newFaults = () => new ChunkingFaults(database.documents, database.transportTable)

test('a host with a fault is known to all instances for a day', async () => {
  const [one, other] = [newFaults(), newFaults()]
  assert.equal(await other.has('mx.partner.example', at(0)), false)
  await one.add('mx.partner.example', at(0))
  const rows: [ms: number, one: boolean, other: boolean][] = [
    [minuteMs, true, false],
    [11 * minuteMs, true, true],
    [dayMs - minuteMs, true, true],
    [dayMs + 11 * minuteMs, false, false],
  ]
  for (const [ms, ofOne, ofOther] of rows)
    assert.deepEqual(
      [await one.has('mx.partner.example', at(ms)), await other.has('mx.partner.example', at(ms))],
      [ofOne, ofOther],
      `after ${ms} ms`,
    )
  assert.equal(await one.has('mx.other.example', at(0)), false)
})
