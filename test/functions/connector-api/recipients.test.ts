/** The lists of accepted domains' recipients, over the API. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { AcceptedDomain } from '../../../shared/connectors/schema.ts'
import { type ApiCall, type ApiResult, createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

let database: TestDynamoDb
let call: (target: string, request?: ApiCall) => Promise<ApiResult>
before(async () => {
  database = await startDynamoDb()
  call = createTestApi(database.documents, () => Date.parse('2026-02-03T12:00:00Z')).call
})
after(() => database.stop())

let count = 0
/** Accepts a new domain, and returns functions for its list. */
async function acceptDomain(addresses?: readonly string[]) {
  const domain = `d${++count}.example`
  const path = `/accepted-domains/${domain}`
  await call(`PUT ${path}`, { json: {} })
  const write = (method: string, json: object, ifMatch = '*') =>
    call(`${method} ${path}/recipients`, { json, headers: { 'if-match': ifMatch } })
  const setMode = (recipients: string) =>
    call(`PATCH ${path}`, { json: { recipients }, headers: { 'if-match': '*' } })
  if (addresses) await write('PUT', { addresses })
  return { domain, path, write, setMode }
}

const addressesOf = async (path: string): Promise<string[]> =>
  (await call(`GET ${path}/recipients`)).body.items

test('a list is written, read in pages and changed; the ETag is that of the domain', async () => {
  const { domain, path, write } = await acceptDomain()
  assert.deepEqual((await call(`GET ${path}/recipients`)).body, { items: [], nextCursor: null })
  const put = await write('PUT', { addresses: [`Carla@${domain}`, 'anna', `ANNA@${domain}`, 'bert'] }, '"1"')
  assert.deepEqual([put.status, put.headers.etag, put.body.recipientList.addresses], [200, '"2"', 3])
  assert.deepEqual(AcceptedDomain.parse(put.body), put.body, 'as the API describes it')
  const first = await call(`GET ${path}/recipients?limit=2`)
  assert.deepEqual([first.headers.etag, first.body.items], ['"2"', [`anna@${domain}`, `bert@${domain}`]])
  const second = await call(`GET ${path}/recipients?limit=2&cursor=${first.body.nextCursor}`)
  assert.deepEqual(second.body, { items: [`carla@${domain}`], nextCursor: null })
  const patch = await write('PATCH', { add: ['doris', 'Anna'], remove: ['BERT', 'missing'] }, '"2"')
  assert.deepEqual([patch.status, patch.body.recipientList.addresses], [200, 3])
  assert.deepEqual(
    await addressesOf(path),
    ['anna', 'carla', 'doris'].map((name) => `${name}@${domain}`),
  )
  const stale = await call(`GET ${path}/recipients?limit=2&cursor=${first.body.nextCursor}`)
  assert.equal(stale.status, 409)
})

test('a list of 100,000 addresses fits in a request', { timeout: 60_000 }, async () => {
  const { path, write } = await acceptDomain()
  const addresses = Array.from({ length: 100_000 }, (_, n) => `firstname.lastname${n}`)
  const put = await write('PUT', { addresses })
  assert.deepEqual([put.status, put.body.recipientList.addresses], [200, 100_000])
  const page = await call(`GET ${path}/recipients?limit=10000`)
  assert.deepEqual([page.body.items.length, typeof page.body.nextCursor], [10_000, 'string'])
  const tooMany = await write('PATCH', { add: ['another'] })
  assert.deepEqual([tooMany.status, tooMany.body.errors.length], [422, 1])
})

test('the faults of a list have their position and address; the first 20 are named', async () => {
  const { write, path } = await acceptDomain(['anna'])
  const faulty = Array.from({ length: 25 }, (_, n) => `bad ${n}`)
  const { status, body } = await write('PUT', { addresses: ['bert', ...faulty] })
  assert.equal(status, 422)
  assert.match(body.detail, /25 faults; these are the first 20/)
  assert.deepEqual(body.errors[0], { path: 'addresses[1]', message: '"bad 0" is not an address' })
  assert.equal(body.errors.length, 20)
  assert.equal((await addressesOf(path)).length, 1)
})

const refusals: { title: string; run: () => Promise<ApiResult>; status: number; detail?: RegExp }[] = [
  {
    title: 'the mode List without a list',
    run: async () => (await acceptDomain()).setMode('List'),
    status: 409,
    detail: /all mail would be refused.*recipients set/,
  },
  {
    title: 'a new domain with the mode List',
    run: async () => call('PUT /accepted-domains/new.example', { json: { recipients: 'List' } }),
    status: 409,
  },
  {
    title: 'an empty list under the mode List',
    run: async () => {
      const { setMode, write } = await acceptDomain(['anna'])
      await setMode('List')
      return write('PUT', { addresses: [] })
    },
    status: 409,
  },
  {
    title: 'the removal of the last address under the mode List',
    run: async () => {
      const { setMode, write } = await acceptDomain(['anna'])
      await setMode('List')
      return write('PATCH', { remove: ['anna'] })
    },
    status: 409,
  },
  {
    title: 'a list with the ETag of an earlier version',
    run: async () => (await acceptDomain(['anna'])).write('PUT', { addresses: ['bert'] }, '"1"'),
    status: 412,
  },
  {
    title: 'a list without If-Match',
    run: async () => call(`PUT ${(await acceptDomain()).path}/recipients`, { json: { addresses: ['anna'] } }),
    status: 428,
  },
  {
    title: 'the list of a domain that is not accepted',
    run: () => call('GET /accepted-domains/elsewhere.example/recipients'),
    status: 404,
  },
  {
    title: 'a body of more than 5 MiB',
    run: async () => (await acceptDomain()).write('PUT', { addresses: ['a'.repeat(5_242_880)] }),
    status: 413,
  },
]
for (const { title, run, status, detail = /./ } of refusals)
  test(`${title} is refused with ${status}`, async () => {
    const response = await run()
    assert.equal(response.status, status)
    assert.match(response.body.detail, detail)
  })

test('the mode does not change the list, and the list does not change the mode', async () => {
  const { path, domain, setMode, write } = await acceptDomain(['anna'])
  assert.equal((await setMode('List')).body.recipients, 'List')
  await write('PATCH', { add: ['bert'] })
  assert.equal((await setMode('SmtpCallout')).body.recipientList.addresses, 2)
  assert.deepEqual(await addressesOf(path), [`anna@${domain}`, `bert@${domain}`])
  assert.equal((await write('PUT', { addresses: [] })).body.recipientList, undefined)
  assert.equal((await setMode('List')).status, 409)
})

test('a domain that is removed and accepted again has no list', async () => {
  const { path, setMode } = await acceptDomain(['anna'])
  assert.equal((await call(`DELETE ${path}`, { headers: { 'if-match': '*' } })).status, 204)
  await call(`PUT ${path}`, { json: {} })
  assert.deepEqual(await addressesOf(path), [])
  assert.equal((await setMode('List')).status, 409)
})

test('a list that is emptied or whose domain is removed is deleted from the table', async () => {
  const partsOf = async (domain: string) => {
    const { Items = [] } = await database.documents.send(new ScanCommand({ TableName: 'connectors' }))
    return Items.filter(({ pk }) => pk === `recipients#${domain}`).length
  }
  const emptied = await acceptDomain(['anna'])
  assert.equal(await partsOf(emptied.domain), 1)
  await emptied.write('PUT', { addresses: [] })
  assert.equal(await partsOf(emptied.domain), 0)
  const removed = await acceptDomain(['anna'])
  await call(`DELETE ${removed.path}`, { headers: { 'if-match': '*' } })
  assert.equal(await partsOf(removed.domain), 0)
})
