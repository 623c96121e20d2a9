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

it("keeps a source's result until it expires", async () => {
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
  { title: 'a CRL at the same URL', change: { kind: 'Crl' } },
  { title: 'another URL', change: { url: 'http://ocsp.ca.example/2' } },
]
for (const { title, change } of others)
  it(`returns nothing for ${title}`, async () => {
    await table.save(key, cachedResult)
    assert.equal(await table.read({ ...key, ...change }), null)
  })

it('does not return a result of the ingress for deliveries', async () => {
  const url = 'http://ocsp.ca.example/3'
  await new RevocationTable(database.documents, database.transportTable, 'ingress').save(
    { ...key, url },
    cachedResult,
  )
  assert.equal(await table.read({ ...key, url }), null)
})

it('stores a result for a URL of any length', async () => {
  const url = `http://ca.example/${'x'.repeat(2_000)}`
  await table.save({ ...key, url }, cachedResult)
  assert.deepEqual(await table.read({ ...key, url }), cachedResult)
})
