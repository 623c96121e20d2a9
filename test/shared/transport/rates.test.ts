import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { rateKey } from '../../../shared/transport/keys.ts'
import { RateTable } from '../../../shared/transport/rates.ts'
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
  new RateTable(db.documents, db.transportTable, { counter: name, patienceMs: 5000 })

describe('what counters took of a minute', () => {
  it('is known to each of the others, the last that each wrote', async () => {
    const id = connector()
    assert.deepEqual(await a.report(id, minute, 3), { taken: 0, counters: 0 })
    assert.deepEqual(await b.report(id, minute, 4), { taken: 3, counters: 1 })
    assert.deepEqual(await a.report(id, minute, 10), { taken: 4, counters: 1 })
    assert.deepEqual(await counter('c').report(id, minute, 1), { taken: 14, counters: 2 })
  })

  it('counts once, however often it is written', async () => {
    const id = connector()
    for (let times = 0; times < 3; times++) await a.report(id, minute, 5)
    assert.deepEqual(await b.report(id, minute, 1), { taken: 5, counters: 1 })
  })

  it('is not made less by a write that comes late', async () => {
    const id = connector()
    await a.report(id, minute, 8)
    await assert.rejects(a.report(id, minute, 5), { name: 'ConditionalCheckFailedException' })
    assert.deepEqual(await b.report(id, minute, 1), { taken: 8, counters: 1 })
  })

  it('is nothing of another minute or connector', async () => {
    const [one, other] = [connector(), connector()]
    await a.report(one, minute, 5)
    assert.deepEqual(await b.report(one, minute + 1, 1), { taken: 0, counters: 0 })
    assert.deepEqual(await b.report(other, minute, 1), { taken: 0, counters: 0 })
  })

  it('is only what counters write', async () => {
    const id = connector()
    const Item = { ...rateKey(id, minute), 'by#x': 'many', seen: 7, 'by#y': 2 }
    await db.documents.send(new PutCommand({ TableName: db.transportTable, Item }))
    assert.deepEqual(await a.report(id, minute, 3), { taken: 2, counters: 1 })
  })

  it('is complete once all have written, whoever did so at the same time', async () => {
    const id = connector()
    const counters = Array.from({ length: 20 }, (_, index) => counter(`task-${index}`))
    await Promise.all(counters.map((one, index) => one.report(id, minute, index + 1)))
    assert.deepEqual(await a.report(id, minute, 1), { taken: 210, counters: 20 })
  })

  it('is in an item that the table drops by itself, under a partition of its connector', async () => {
    const id = connector()
    await a.report(id, minute, 5)
    const Key = { pk: `rate#${id}`, sk: '2026-01-15T12:00' }
    assert.deepEqual(rateKey(id, minute), Key)
    const { Item } = await db.documents.send(new GetCommand({ TableName: db.transportTable, Key }))
    assert.deepEqual(Item, { ...Key, 'by#a': 5, expiresAt: (minute + 1) * 60 + 3600 })
  })

  it('is not waited for when the table does not answer', async () => {
    const silent = await listenSilently()
    const client = new DynamoDBClient({ endpoint: silent.url, ...testAccount })
    const documents = DynamoDBDocumentClient.from(client)
    const mute = new RateTable(documents, 'transport', { counter: 'a', patienceMs: 50 })
    await assert.rejects(mute.report(connector(), minute, 1), /abort/i)
    client.destroy()
    await silent.stop()
  })
})
