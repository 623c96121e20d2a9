/**
 * The pipeline's functions in a random environment: duplicate jobs, dying workers, changed connectors and different
 * clocks. `PIPELINE_SEEDS` sets the number of runs per mode.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { MemoryTable } from '../../support/pipeline/table.ts'
import type { SimulationOptions } from './deployment.ts'
import { brokenRules } from './invariants.ts'
import { type Mode, modes, simulate } from './simulation.ts'

const runs = Number(process.env.PIPELINE_SEEDS ?? 10)

/** Asserts that a run keeps all rules. A failure lists all events; the same mode and seed reproduce it. */
async function assertRules(
  name: string,
  mode: Mode,
  seed: number,
  table: SimulationOptions['table'],
): Promise<void> {
  const history = await simulate(mode, seed, table)
  const broken = brokenRules(history)
  assert.deepEqual(broken, [], [`${name}, seed ${seed}:`, ...broken, '', ...history.log].join('\n'))
}

describe('on a table in memory, each recipient is settled once and the sender is notified once', () => {
  for (const [name, mode] of Object.entries(modes))
    test(name, async () => {
      for (let seed = 1; seed <= runs; seed++) await assertRules(name, mode, seed, new MemoryTable())
    })
})

describe('on DynamoDB, each recipient is settled once and the sender is notified once', () => {
  const sample = Math.ceil(runs / 100)
  let database: TestDynamoDb
  before(async () => {
    database = await startDynamoDb()
  })
  after(() => database.stop())

  for (const [index, [name, mode]] of Object.entries(modes).entries())
    test(name, async () => {
      const table = { send: (command: object) => database.documents.send(command as never) }
      const first = index * sample + 1
      for (let seed = first; seed < first + sample; seed++) await assertRules(name, mode, seed, table)
    })
})
