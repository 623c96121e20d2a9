import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CanaryTable } from '../../../shared/transport/canary-table.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

const [first, second, third] = ['1', '2', '3'].map((digit) => `01KF0CVZT${digit}ABCDEFGHJKMNPQRS`)
assert.ok(first && second && third)

let database: TestDynamoDb
let table: CanaryTable
before(async () => {
  database = await startDynamoDb()
  table = new CanaryTable(database.documents, database.transportTable)
})
after(() => database.stop())

test('a canary counts once, after it was sent, and not after a later one', async () => {
  assert.equal(await table.lastSent(), null)
  assert.equal(await table.recordArrival(first), false, 'no canary was sent')
  await table.recordSent(first)
  assert.equal(await table.recordArrival(second), false, 'it was not sent')
  await table.recordSent(second)
  assert.equal(await table.lastSent(), second)
  assert.equal(await table.recordArrival(first), true, 'it is late')
  assert.equal(await table.recordArrival(first), false, 'it arrived twice')
  await table.recordSent(third)
  assert.equal(await table.recordArrival(third), true)
  assert.equal(await table.recordArrival(second), false, 'a later one has arrived')
})
