import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

const start = Date.parse('2026-03-01T00:00:00Z')
const administrator = 'arn:aws:iam::123456789012:user/administrator'
const other = 'arn:aws:iam::123456789012:user/other'

let database: TestDynamoDb
let api: ReturnType<typeof createTestApi>
let clock = start
let id = ''

const asOther = { authorizer: { iam: { userArn: other } } }

before(async () => {
  database = await startDynamoDb()
  api = createTestApi(database.documents, () => clock)
  const inbound = { name: 'Contoso', connectorType: 'Partner', senderDomains: ['contoso.example'] }
  id = (await api.call('POST /inbound-connectors', { json: inbound })).body.id
  clock += 60_000
  await api.call('PUT /accepted-domains/ours.example', { json: {}, ...asOther })
  clock += 60_000
  const rename = { json: { name: 'Fabrikam', comment: 'renamed' }, headers: { 'if-match': '"1"' } }
  await api.call(`PATCH /inbound-connectors/${id}`, rename)
  clock += 60_000
  const addresses = { json: { addresses: ['secret-person'] }, headers: { 'if-match': '"1"' } }
  await api.call('PUT /accepted-domains/ours.example/recipients', { ...addresses, ...asOther })
  clock += 60_000
  await api.call('DELETE /accepted-domains/ours.example', { headers: { 'if-match': '*' }, ...asOther })
})
after(() => database.stop())

const list = async (query = '') => (await api.call(`GET /changes${query}`)).body
const versions = async (query: string) =>
  (await list(query)).items.map(({ version }: { version: number }) => version)

describe('GET /changes', () => {
  test('lists who changed what and when, the newest first', async () => {
    const { items, nextCursor } = await list()
    assert.equal(nextCursor, null)
    assert.deepEqual(
      items.map(({ before: _, after: __, ...entry }: Record<string, unknown>) => entry),
      [
        { version: 5, at: '2026-03-01T00:04:00.000Z', actor: other, action: 'Deleted' },
        { version: 4, at: '2026-03-01T00:03:00.000Z', actor: other, action: 'Changed' },
        { version: 3, at: '2026-03-01T00:02:00.000Z', actor: administrator, action: 'Changed' },
        { version: 2, at: '2026-03-01T00:01:00.000Z', actor: other, action: 'Created' },
        { version: 1, at: '2026-03-01T00:00:00.000Z', actor: administrator, action: 'Created' },
      ].map((entry) =>
        entry.version % 2 === 1 && entry.version < 5
          ? { ...entry, kind: 'inbound-connector', id, name: entry.version === 1 ? 'Contoso' : 'Fabrikam' }
          : { ...entry, kind: 'accepted-domain', domain: 'ours.example', name: 'ours.example' },
      ),
    )
    assert.deepEqual(
      [items[2].before, items[2].after],
      [
        { name: 'Contoso', comment: '' },
        { name: 'Fabrikam', comment: 'renamed' },
      ],
    )
    assert.deepEqual([items[1].before, items[1].after.recipientList.addresses], [{}, 1])
    assert.equal(items[4].after.name, 'Contoso')
    assert.equal(items[0].before.domain, 'ours.example')
    assert.ok(!JSON.stringify(items).includes('secret-person'))
  })

  test('selects by time, actor, kind, and by name, former name, id or domain', async () => {
    const selections: [query: string, expected: number[]][] = [
      ['?from=2026-03-01T00:01:00Z&to=2026-03-01T00:03:00Z', [3, 2]],
      ['?to=2026-03-01T00:00:00Z', []],
      ['?from=2026-03-02T00:00:00Z', []],
      [`?actor=${encodeURIComponent(administrator)}`, [3, 1]],
      ['?kind=accepted-domain', [5, 4, 2]],
      ['?key=CONTOSO', [3, 1]],
      ['?key=fabrikam', [3]],
      [`?key=${id}`, [3, 1]],
      ['?key=ours.example', [5, 4, 2]],
      ['?key=ours.example&to=2026-03-01T00:04:00Z', [4, 2]],
      ['?key=unknown', []],
    ]
    for (const [query, expected] of selections) assert.deepEqual(await versions(query), expected, query)
  })

  test('continues each page where the last one ended', async () => {
    const found: number[] = []
    let query = '?limit=2'
    for (let page = 0; page < 3; page++) {
      const { items, nextCursor } = await list(query)
      found.push(...items.map(({ version }: { version: number }) => version))
      query = `?limit=2&cursor=${nextCursor}`
      assert.equal(nextCursor === null, page === 2)
    }
    assert.deepEqual(found, [5, 4, 3, 2, 1])
  })

  test('refuses a kind that does not exist, and a cursor of another list', async () => {
    for (const query of ['?kind=domain', '?cursor=Zm9v', '?from=yesterday', '?actor='])
      assert.equal((await api.call(`GET /changes${query}`)).status, 400, query)
  })
})
