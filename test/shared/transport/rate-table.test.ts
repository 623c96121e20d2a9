import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { rateKey } from '../../../shared/transport/keys.ts'
import { RateTable } from '../../../shared/transport/rate-table.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { testAccount } from '../../support/lambda.ts'
import { listenSilently } from '../../support/listen.ts'

let db: TestDynamoDb
let a: RateTable
let b: RateTable
before(async () => {
  db = await startDynamoDb()
  a = counter('a')
  b = counter('b')
})
after(() => db.stop())

let serial = 0
const connector = () => `connector-${serial++}`
/** 2026-01-15T12:00Z */
const minute = Date.UTC(2026, 0, 15, 12) / 60_000

const counter = (name: string) =>
  new RateTable(db.documents, db.transportTable, { counter: name, timeoutMs: 5000 })

describe("the message count of a connector's minute", () => {
  it('is the sum of the last totals that the other processes wrote', async () => {
    const id = connector()
    assert.deepEqual(await a.report(id, minute, 3), { messages: 0, counters: 0 })
    assert.deepEqual(await b.report(id, minute, 4), { messages: 3, counters: 1 })
    assert.deepEqual(await a.report(id, minute, 10), { messages: 4, counters: 1 })
    assert.deepEqual(await counter('c').report(id, minute, 1), { messages: 14, counters: 2 })
  })

  it('includes a total that was written three times only once', async () => {
    const id = connector()
    for (let times = 0; times < 3; times++) await a.report(id, minute, 5)
    assert.deepEqual(await b.report(id, minute, 1), { messages: 5, counters: 1 })
  })

  it('does not decrease when a lower total is written late, and the late write is rejected', async () => {
    const id = connector()
    await a.report(id, minute, 8)
    await assert.rejects(a.report(id, minute, 5), { name: 'ConditionalCheckFailedException' })
    assert.deepEqual(await b.report(id, minute, 1), { messages: 8, counters: 1 })
  })

  it('excludes other minutes and connectors', async () => {
    const [first, second] = [connector(), connector()]
    await a.report(first, minute, 5)
    assert.deepEqual(await b.report(first, minute + 1, 1), { messages: 0, counters: 0 })
    assert.deepEqual(await b.report(second, minute, 1), { messages: 0, counters: 0 })
  })

  it('excludes attributes of the item that are no totals', async () => {
    const id = connector()
    const Item = { ...rateKey(id, minute), 'by#x': 'many', seen: 7, 'by#y': 2 }
    await db.documents.send(new PutCommand({ TableName: db.transportTable, Item }))
    assert.deepEqual(await a.report(id, minute, 3), { messages: 2, counters: 1 })
  })

  it('includes the totals of twenty concurrent writers', async () => {
    const id = connector()
    const counters = Array.from({ length: 20 }, (_, index) => counter(`task-${index}`))
    await Promise.all(counters.map((rateTable, index) => rateTable.report(id, minute, index + 1)))
    assert.deepEqual(await a.report(id, minute, 1), { messages: 210, counters: 20 })
  })

  it("is in an item of the connector's partition that expires an hour after the minute", async () => {
    const id = connector()
    await a.report(id, minute, 5)
    const Key = { pk: `rate#${id}`, sk: '2026-01-15T12:00' }
    assert.deepEqual(rateKey(id, minute), Key)
    const { Item } = await db.documents.send(new GetCommand({ TableName: db.transportTable, Key }))
    assert.deepEqual(Item, { ...Key, 'by#a': 5, expiresAt: (minute + 1) * 60 + 3600 })
  })

  it('cannot be reported when the table does not respond: report() rejects at its timeout', async () => {
    const silent = await listenSilently()
    const client = new DynamoDBClient({ endpoint: silent.url, ...testAccount })
    const documents = DynamoDBDocumentClient.from(client)
    const mute = new RateTable(documents, 'transport', { counter: 'a', timeoutMs: 50 })
    await assert.rejects(mute.report(connector(), minute, 1), /abort/i)
    client.destroy()
    await silent.stop()
  })
})
