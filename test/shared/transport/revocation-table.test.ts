import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import type { CachedSource, SourceKey } from '../../../shared/net/revocation/revocation-store.ts'
import { RevocationTable } from '../../../shared/transport/revocation-table.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

const now = Date.parse('2026-11-25T00:00:00Z')
const key: SourceKey = { fingerprint: 'ab'.repeat(32), kind: 'Ocsp', url: 'http://ocsp.ca.example/' }
const cachedResult: CachedSource = {
  source: { kind: 'Ocsp', url: key.url, status: 'Good', detail: 'not revoked', nextUpdate: null },
  renewAt: now + 300_000,
  validUntil: now + 300_001,
}

let database: TestDynamoDb
let table: RevocationTable
before(async () => {
  database = await startDynamoDb()
  table = new RevocationTable(database.documents, database.transportTable, 'delivery')
})
after(() => database.stop())

it("the revocation table returns a source's saved result, whose item expires with the result", async () => {
  assert.equal(await table.read(key), null)
  await table.save(key, cachedResult)
  assert.deepEqual(await table.read(key), cachedResult)
  const { Items } = await database.documents.send(new ScanCommand({ TableName: database.transportTable }))
  assert.deepEqual(
    Items?.map(({ expiresAt }) => expiresAt),
    [Math.ceil(cachedResult.validUntil / 1000)],
  )
})

const others: { title: string; change: Partial<SourceKey> }[] = [
  { title: 'another certificate', change: { fingerprint: 'cd'.repeat(32) } },
  { title: 'another kind of source', change: { kind: 'Crl' } },
  { title: 'another URL', change: { url: 'http://ocsp.ca.example/2' } },
]
for (const { title, change } of others)
  it(`the revocation table returns null for ${title} than the saved result's`, async () => {
    await table.save(key, cachedResult)
    assert.equal(await table.read({ ...key, ...change }), null)
  })

it('the revocation table does not return a result that the ingress saved to deliveries', async () => {
  const url = 'http://ocsp.ca.example/3'
  await new RevocationTable(database.documents, database.transportTable, 'ingress').save(
    { ...key, url },
    cachedResult,
  )
  assert.equal(await table.read({ ...key, url }), null)
})

it('the revocation table stores a result for a URL of 2000 characters', async () => {
  const url = `http://ca.example/${'x'.repeat(2_000)}`
  await table.save({ ...key, url }, cachedResult)
  assert.deepEqual(await table.read({ ...key, url }), cachedResult)
})
