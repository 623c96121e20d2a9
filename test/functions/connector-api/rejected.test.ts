/** GET /messages?state=Rejected: what record-events has stored of refused sessions. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { RejectedSessions } from '../../../shared/messages/rejected-sessions.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

const now = Date.parse('2026-11-30T12:00:00Z')
const connector = '01KB00000000000000000C0001'

const event = (number: number, at: string, fields: Partial<MailEvent> = {}): MailEvent => ({
  id: `01KB${String(number).padStart(22, '0')}`,
  at,
  kind: 'Rejected',
  stage: 'Rcpt',
  clientIp: '192.0.2.1',
  sender: 'anna@partner.example',
  recipient: 'bob@ours.example',
  reply: '550 5.7.1 no',
  softwareVersion: '0.2.0',
  ...fields,
})

const events = [
  event(1, '2026-11-30T11:59:59.999Z'),
  event(2, '2026-11-30T11:00:00.000Z', { sender: '', count: 500, clientIp: '203.0.113.0/24' }),
  event(3, '2026-11-30T00:00:00.000Z', { inboundConnector: connector }),
  event(4, '2026-11-29T23:59:59.999Z', { recipient: 'Carol@ours.example', sender: 'x@sub.partner.example' }),
  event(5, '2026-11-29T12:00:00.000Z', { stage: 'Connect', sender: undefined, recipient: undefined }),
  event(6, '2026-11-29T11:59:59.999Z'),
] as const

let dynamodb: TestDynamoDb
let api: ReturnType<typeof createTestApi>

before(async () => {
  dynamodb = await startDynamoDb()
  api = createTestApi(dynamodb.documents, () => now)
  const sessions = new RejectedSessions(dynamodb.documents, dynamodb.messagesTable, 15)
  await sessions.store(events.map((each) => JSON.parse(JSON.stringify(each))))
  await sessions.store([event(1, '2026-11-30T11:59:59.999Z')])
})
after(() => dynamodb.stop())

const list = (query = '') => api.call(`GET /messages?state=Rejected${query}`)

const numbersIn = ({ body }: Awaited<ReturnType<typeof list>>): number[] =>
  body.items.map(({ id }: MailEvent) => Number(id.slice(4)))

test('by default the rejections of the last 24 hours are listed, the newest first, with their columns', async () => {
  const { status, body } = await list()
  assert.equal(status, 200)
  assert.equal(body.nextCursor, null)
  assert.deepEqual(body.items, JSON.parse(JSON.stringify(events.slice(0, 5))))
})

const filters: [query: string, numbers: number[]][] = [
  ['&from=2026-11-29T00:00:00Z', [1, 2, 3, 4, 5, 6]],
  ['&from=2026-11-29T23:59:59.999Z&to=2026-11-30T00:00:00Z', [4]],
  ['&to=2026-11-30T11:00:00.001Z', [2, 3, 4, 5, 6]],
  ['&sender=%3C%3E', [2]],
  ['&sender=partner.example', [1, 3]],
  ['&recipient=carol@ours.example', [4]],
  ['&recipient=ours.example&sender=anna@partner.example', [1, 3]],
  [`&connector=${connector}`, [3]],
]
for (const [query, expected] of filters)
  test(`the filter ${query} selects ${expected.join(', ')}`, async () => {
    assert.deepEqual(numbersIn(await list(query)), expected)
  })

test('pages end and continue between any two events', async () => {
  for (const limit of [1, 2, 4]) {
    const found: number[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page = await list(`&limit=${limit}${cursor && `&cursor=${cursor}`}`)
      assert.ok(page.body.items.length <= limit)
      found.push(...numbersIn(page))
      cursor = page.body.nextCursor
    }
    assert.deepEqual(found, [1, 2, 3, 4, 5], `pages of ${limit}`)
  }
})

test('a cursor of one list is refused by the other', async () => {
  const { body } = await list('&limit=1')
  assert.equal((await api.call(`GET /messages?cursor=${body.nextCursor}`)).status, 400)
  const position = { day: '2026-11-30', before: '01KB0000000000000000000001' }
  const trace = Buffer.from(JSON.stringify(position)).toString('base64url')
  assert.equal((await list(`&cursor=${trace}`)).status, 400)
  assert.equal((await api.call(`GET /messages?cursor=${trace}`)).status, 200)
})

test('other lists of messages contain no rejections', async () => {
  const { body } = await api.call('GET /messages')
  assert.deepEqual(body, { items: [], nextCursor: null })
})

test('many rejections are stored in several requests, and listed in order', async () => {
  const sessions = new RejectedSessions(dynamodb.documents, dynamodb.messagesTable, 15)
  const many = Array.from({ length: 230 }, (_, index) =>
    event(1000 + index, new Date(Date.UTC(2026, 9, 1, 0, 0, index)).toISOString()),
  )
  await sessions.store(many)
  const found = await list('&from=2026-10-01T00:00:00Z&to=2026-10-02T00:00:00Z&limit=200')
  assert.deepEqual(numbersIn(found), many.map((_, index) => 1229 - index).slice(0, 200))
  const rest = await list(
    `&from=2026-10-01T00:00:00Z&to=2026-10-02T00:00:00Z&limit=200&cursor=${found.body.nextCursor}`,
  )
  assert.equal(rest.body.items.length, 30)
})

test('a refusal is read by its id', async () => {
  const [first] = events
  const { status, body } = await api.call(`GET /messages/${first.id}`)
  assert.deepEqual([status, body], [200, JSON.parse(JSON.stringify(first))])
  assert.equal((await api.call('GET /messages/01KB0000000000000000009999')).status, 404)
})
