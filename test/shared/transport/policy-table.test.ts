import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import {
  emptyDomainState,
  type FailedFetch,
  readOnlyStore,
  type StoredPolicy,
} from '../../../shared/net/mta-sts/policy-store.ts'
import { policyKey } from '../../../shared/transport/keys.ts'
import { PolicyTable } from '../../../shared/transport/policy-table.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

const begin = Date.parse('2026-11-25T00:00:00Z')
const hour = 3_600_000

const storedPolicy = (fetchedAt: number, fields: Partial<StoredPolicy> = {}): StoredPolicy => ({
  id: 'a1',
  mode: 'enforce',
  mx: ['mx.partner.example', '*.partner.example'],
  maxAge: 604_800,
  fetchedAt,
  validUntil: fetchedAt + 604_800_000,
  ...fields,
})
const failed = (at: number): FailedFetch => ({
  id: 'b2',
  at,
  result: 'sts-policy-fetch-error',
  detail: 'The policy host answered 404',
})

let database: TestDynamoDb
let table: PolicyTable
let domains = 0
let domain: string
before(async () => {
  database = await startDynamoDb()
  table = new PolicyTable(database.documents, database.transportTable)
})
beforeEach(() => {
  domains += 1
  domain = `partner${domains}.example`
})
after(() => database.stop())

const expiresAt = async () => {
  const { Item } = await database.documents.send(
    new GetCommand({ TableName: database.transportTable, Key: policyKey(domain) }),
  )
  return Item?.expiresAt
}

describe('the table of MTA-STS policies', () => {
  it('returns an empty state for an unknown domain', async () =>
    assert.deepEqual(await table.read(domain), emptyDomainState))

  it('returns a stored policy, and stores its expiry as that of the item', async () => {
    await table.savePolicy(domain, storedPolicy(begin))
    assert.deepEqual(await table.read(domain), { policy: storedPolicy(begin), failure: null })
    assert.equal(await expiresAt(), (begin + 604_800_000) / 1000)
    assert.deepEqual(await table.read('other.example'), emptyDomainState)
  })

  it('keeps the policy that was fetched later, in any order of writes', async () => {
    await table.savePolicy(domain, storedPolicy(begin + 1, { id: 'new' }))
    await table.savePolicy(domain, storedPolicy(begin, { id: 'old' }))
    assert.equal((await table.read(domain)).policy?.id, 'new')
    await table.savePolicy(
      domain,
      storedPolicy(begin + 2, { id: 'newest', maxAge: 1, validUntil: begin + 3 }),
    )
    assert.equal((await table.read(domain)).policy?.id, 'newest')
  })

  it('stores a failed fetch without a policy for an hour', async () => {
    await table.saveFailure(domain, failed(begin))
    assert.deepEqual(await table.read(domain), { policy: null, failure: failed(begin) })
    assert.equal(await expiresAt(), (begin + hour) / 1000)
  })

  it('stores a failed fetch beside a policy without changing the expiry of the item', async () => {
    await table.savePolicy(domain, storedPolicy(begin))
    await table.saveFailure(domain, failed(begin + hour))
    assert.deepEqual(await table.read(domain), { policy: storedPolicy(begin), failure: failed(begin + hour) })
    assert.equal(await expiresAt(), (begin + 604_800_000) / 1000)
  })

  it('removes a failed fetch when a later policy is stored, and does not store a failed fetch older than the policy', async () => {
    await table.saveFailure(domain, failed(begin))
    await table.savePolicy(domain, storedPolicy(begin + 1))
    await table.saveFailure(domain, failed(begin))
    assert.deepEqual(await table.read(domain), { policy: storedPolicy(begin + 1), failure: null })
  })

  it('stores a policy with 8000 mx patterns', async () => {
    const mx = Array.from({ length: 8_000 }, (_, n) => `${n}.a`)
    await table.savePolicy(domain, storedPolicy(begin, { mx }))
    assert.equal((await table.read(domain)).policy?.mx.length, 8_000)
  })

  it('throws an error that names the field when an item has an invalid mode', async () => {
    await database.documents.send(
      new PutCommand({
        TableName: database.transportTable,
        Item: { ...policyKey(domain), policy: { ...storedPolicy(begin), mode: 'sometimes' } },
      }),
    )
    await assert.rejects(table.read(domain), /mode/)
  })

  it('is not changed by writes through readOnlyStore', async () => {
    await table.savePolicy(domain, storedPolicy(begin))
    const reader = readOnlyStore(table)
    await reader.savePolicy(domain, storedPolicy(begin + 1, { id: 'new' }))
    await reader.saveFailure(domain, failed(begin + 1))
    assert.deepEqual(await reader.read(domain), { policy: storedPolicy(begin), failure: null })
  })
})
