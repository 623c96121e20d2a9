import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { DeleteCommand, PutCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { RecipientLists } from '../../../shared/connectors-table/recipient-lists.ts'
import { SnapshotReader } from '../../../shared/connectors-table/snapshot-reader.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

let database: TestDynamoDb
let lists: RecipientLists
before(async () => {
  database = await startDynamoDb()
  lists = new RecipientLists(database.documents, database.connectorsTable)
})
after(() => database.stop())

const partsOf = async (domain: string) =>
  (
    (await database.documents.send(new ScanCommand({ TableName: database.connectorsTable }))).Items ?? []
  ).filter(({ pk }) => pk === `recipients#${domain}`)

test('a list of several items is read as it was written, and no snapshot reads it', async () => {
  const localParts = Array.from({ length: 20_000 }, (_, n) => `first.last.${String(n).padStart(10, '0')}`)
  const version = await lists.write('large.example', localParts)
  assert.deepEqual(await lists.readAll('large.example', version), localParts)
  const parts = await partsOf('large.example')
  assert.equal(parts.length, 2)
  assert.ok(parts.every(({ content }) => content.length < 350_000))
  const snapshot = await new SnapshotReader(database.documents, database.connectorsTable).current()
  assert.equal(snapshot.acceptedDomains.size, 0)
})

test('a list that has lost a part cannot be read', async () => {
  const version = await lists.write('partial.example', ['a'.repeat(300_000), 'b'.repeat(300_000)])
  const key = { pk: 'recipients#partial.example', sk: `${version}#0001` }
  await database.documents.send(new DeleteCommand({ TableName: database.connectorsTable, Key: key }))
  await assert.rejects(lists.readAll('partial.example', version), /has 1 of 2 parts/)
})

test('a version that does not exist cannot be read', async () => {
  await assert.rejects(lists.readAll('none.example', '01KGH3Z9A0V4RRFFQ69G5FAVXX'), /has 0 of 1 parts/)
})

test('a part that another program wrote is not used', async () => {
  const key = { pk: 'recipients#odd.example', sk: '01KGH3Z9A0V4RRFFQ69G5FAVXX#0000' }
  const Item = { ...key, parts: 1, content: 'text' }
  await database.documents.send(new PutCommand({ TableName: database.connectorsTable, Item }))
  await assert.rejects(lists.readAll('odd.example', '01KGH3Z9A0V4RRFFQ69G5FAVXX'))
})

test('earlier versions are deleted, but not the kept one, and not one that is written meanwhile', async () => {
  const versions: string[] = []
  for (const name of ['failed', 'previous', 'current', 'later']) {
    versions.push(await lists.write('ours.example', [name]))
    // The versions of one millisecond have no order.
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  const [failed, previous, current, later] = versions as [string, string, string, string]
  await lists.removeBefore('ours.example', current, previous)
  const left = (await partsOf('ours.example')).map(({ sk }) => sk.split('#')[0]).sort()
  assert.deepEqual(left, [previous, current, later].sort())
  assert.ok(!left.includes(failed))
})
