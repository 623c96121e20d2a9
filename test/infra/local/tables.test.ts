import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import {
  GetCommand,
  PutCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const TableName = 'connectors'
const key = (sk: string) => ({ pk: 'p', sk })
const read = async (sk: string) =>
  (await database.documents.send(new GetCommand({ TableName, Key: key(sk), ConsistentRead: true }))).Item
const put = (sk: string, fields: object = {}) =>
  database.documents.send(new PutCommand({ TableName, Item: { ...key(sk), ...fields } }))
const transact = (...TransactItems: NonNullable<TransactWriteCommandInput['TransactItems']>) =>
  database.documents.send(new TransactWriteCommand({ TransactItems }))
const isNew = { ConditionExpression: 'attribute_not_exists(pk)' }

test('a transaction makes all of its writes', async () => {
  await put('updated', { count: 1 })
  await put('deleted')
  await transact(
    { Put: { TableName, Item: { ...key('new'), a: 1 }, ...isNew } },
    {
      Update: {
        TableName,
        Key: key('updated'),
        UpdateExpression: 'ADD #count :one',
        ExpressionAttributeNames: { '#count': 'count' },
        ExpressionAttributeValues: { ':one': 1 },
      },
    },
    { Delete: { TableName, Key: key('deleted') } },
  )
  assert.deepEqual(await read('new'), { ...key('new'), a: 1 })
  assert.equal((await read('updated'))?.count, 2)
  assert.equal(await read('deleted'), undefined)
})

test('a transaction with a condition that fails makes no write, and names the condition', async () => {
  await put('kept', { a: 1 })
  await put('existing')
  const cancelled = await transact(
    { Put: { TableName, Item: { ...key('kept'), a: 2 } } },
    { Put: { TableName, Item: key('absent'), ...isNew } },
    { Put: { TableName, Item: key('existing'), ...isNew } },
    { Delete: { TableName, Key: key('existing2') } },
  ).catch((error: unknown) => error)
  assert(cancelled instanceof TransactionCanceledException)
  assert.deepEqual(
    cancelled.CancellationReasons?.map(({ Code }) => Code),
    ['None', 'None', 'ConditionalCheckFailed', 'None'],
  )
  assert.deepEqual(await read('kept'), { ...key('kept'), a: 1 })
  assert.equal(await read('absent'), undefined)
})

test('no other request sees a part of a transaction', async () => {
  const write = (n: number) =>
    transact(...['x', 'y'].map((sk) => ({ Put: { TableName, Item: { ...key(sk), n } } })))
  await write(0)
  let isWriting = true
  const writing = (async () => {
    for (let n = 1; n <= 20; n++) await write(n)
    isWriting = false
  })()
  while (isWriting) {
    const y = (await read('y'))?.n
    assert.ok((await read('x'))?.n >= y, 'x is written before y, and y was read before x')
  }
  await writing
})

test('requests before and after a transaction are answered', async () => {
  const updates = Array.from({ length: 10 }, () =>
    database.documents.send(
      new UpdateCommand({
        TableName,
        Key: key('counted'),
        UpdateExpression: 'ADD #n :one',
        ExpressionAttributeNames: { '#n': 'n' },
        ExpressionAttributeValues: { ':one': 1 },
      }),
    ),
  )
  await Promise.all([...updates.slice(0, 5), transact({ Put: { TableName, Item: key('z') } }), ...updates])
  assert.equal((await read('counted'))?.n, 10)
})
