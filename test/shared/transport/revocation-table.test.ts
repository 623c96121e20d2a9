import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import type { CachedSource, SourceKey } from '../../../shared/net/revocation/revocation-store.ts'
import { RevocationTable } from '../../../shared/transport/revocation-table.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

const now = Date.parse('2026-11-25T00:00:00Z')
const key: SourceKey = { fingerprint: 'ab'.repeat(32), kind: 'Ocsp', url: 'http://ocsp.ca.example/' }
const kept: CachedSource = {
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
  await table.save(key, kept)
  assert.deepEqual(await table.read(key), kept)
  const { Items } = await database.documents.send(new ScanCommand({ TableName: database.transportTable }))
  assert.deepEqual(
    Items?.map(({ expiresAt }) => expiresAt),
    [Math.ceil(kept.validUntil / 1000)],
  )
})

const others: { of: string; change: Partial<SourceKey> }[] = [
  { of: 'another certificate', change: { fingerprint: 'cd'.repeat(32) } },
  { of: 'a CRL at the same URL', change: { kind: 'Crl' } },
  { of: 'another URL', change: { url: 'http://ocsp.ca.example/2' } },
]
for (const { of, change } of others)
  it(`returns nothing for ${of}`, async () => {
    await table.save(key, kept)
    assert.equal(await table.read({ ...key, ...change }), null)
  })

it('does not return a result of the ingress for deliveries', async () => {
  const url = 'http://ocsp.ca.example/3'
  await new RevocationTable(database.documents, database.transportTable, 'ingress').save(
    { ...key, url },
    kept,
  )
  assert.equal(await table.read({ ...key, url }), null)
})

it('stores a result for a URL of any length', async () => {
  const url = `http://ca.example/${'x'.repeat(2_000)}`
  await table.save({ ...key, url }, kept)
  assert.deepEqual(await table.read({ ...key, url }), kept)
})
