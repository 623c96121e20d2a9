/** GET /messages and GET /changes as CSV. test/peers/csv.test.ts reads it with Python's reader. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { messageColumnNames } from '../../../shared/event-queries/message-columns.ts'
import { RejectedSessions } from '../../../shared/messages/rejected-sessions.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { traceMail } from '../../support/traced-mail.ts'

let clock = Date.parse('2026-11-30T12:00:00Z')
let dynamodb: TestDynamoDb
let api: ReturnType<typeof createTestApi>

before(async () => {
  dynamodb = await startDynamoDb()
  api = createTestApi(dynamodb.documents, () => clock)
  for (const n of [1, 2, 3])
    await traceMail(
      dynamodb,
      `2026-11-30T0${n}:00:00Z`,
      n,
      { mailFrom: `s${n}@bank.example`, size: n },
      { 'ann@ours.example': {}, [`r${n}@ours.example`]: {} },
    )
  const sessions = new RejectedSessions(dynamodb.documents, dynamodb.messagesTable, 15)
  const softwareVersion = '0.2.0'
  await sessions.store([
    { id: '01KB0000000000000000000001', at: '2026-11-30T11:00:00.000Z', kind: 'Rejected', softwareVersion },
    { id: '01KB0000000000000000000002', at: '2026-11-30T10:00:00.000Z', count: 7, softwareVersion },
  ])
})
after(() => dynamodb.stop())

const asCsv = { headers: { accept: 'text/csv' } }
const header = `${messageColumnNames.join(',')}\r\n`

/** The values of a column without quotes. */
const valuesOf = (csv: string, column: string): string[] => {
  const [names = '', ...lines] = csv.trimEnd().split('\r\n')
  return lines.map((line) => line.split(',')[names.split(',').indexOf(column)] ?? '')
}

/** Follows the links from page to page. */
async function pagesFrom(first: string): Promise<string[]> {
  const pages: string[] = []
  for (let target: string | undefined = first; target !== undefined; ) {
    const { status, headers, body } = await api.call(`GET ${target}`, asCsv)
    assert.equal(status, 200, JSON.stringify(body))
    pages.push(body)
    target = /^<(\/.*)>; rel="next"$/.exec(headers.link ?? '')?.[1]
  }
  return pages
}

describe('GET /messages with Accept: text/csv', () => {
  test('answers a line for each recipient, with the header of a download', async () => {
    const { status, headers, body } = await api.call('GET /messages?sender=s1@bank.example', asCsv)
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'text/csv; charset=utf-8')
    assert.equal(headers['content-disposition'], 'attachment; filename="messages.csv"')
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal(headers.link, undefined)
    assert.ok(body.startsWith(header))
    // The comma is in the status.
    const lines = body.slice(header.length).split('\r\n')
    assert.deepEqual(
      lines.map((line: string) => line.split(',').slice(0, 3)),
      [
        ['2026-11-30T01:00:00.000Z', 's1@bank.example', 'ann@ours.example##Receive'],
        ['2026-11-30T01:00:00.000Z', 's1@bank.example', 'r1@ours.example##Receive'],
        [''],
      ],
    )
  })

  test('answers the header line when there is no message', async () => {
    for (const query of ['sender=x.example', 'state=Rejected&sender=x.example'])
      assert.equal((await api.call(`GET /messages?${query}`, asCsv)).body, header)
  })

  test('links each page to the next, which has the same filters and period', async () => {
    const pages = await pagesFrom('/messages?limit=2&recipient=ann@ours.example')
    assert.deepEqual(
      pages.map((page) => valuesOf(page, 'sender_address')),
      [
        ['s3@bank.example', 's3@bank.example', 's2@bank.example', 's2@bank.example'],
        ['s1@bank.example', 's1@bank.example'],
      ],
    )
    const { headers } = await api.call('GET /messages?limit=1', asCsv)
    const query = new URLSearchParams(/\?(.*)>/.exec(headers.link ?? '')?.[1])
    assert.deepEqual(
      [query.get('from'), query.get('to'), query.get('limit')],
      ['2026-11-29T12:00:00.000Z', '2026-11-30T12:00:00.000Z', '1'],
    )
  })

  test('keeps the period while the clock goes on', async () => {
    const { headers } = await api.call('GET /messages?limit=1', asCsv)
    clock += 20 * 3_600_000
    const rest = await pagesFrom(/^<(.*)>;/.exec(headers.link ?? '')?.[1] ?? '')
    clock -= 20 * 3_600_000
    assert.deepEqual(
      rest.map((page) => valuesOf(page, 'sender_address')[0]),
      ['s2@bank.example', 's1@bank.example'],
    )
  })

  test('answers refusals with the same columns, in pages', async () => {
    const pages = await pagesFrom('/messages?state=Rejected&limit=1')
    for (const page of pages) assert.ok(page.startsWith(header))
    assert.deepEqual(
      pages.flatMap((page) => valuesOf(page, 'count')),
      ['1', '7'],
    )
    assert.deepEqual(
      pages.flatMap((page) => valuesOf(page, 'state')),
      ['Rejected', 'Rejected'],
    )
  })

  test('answers JSON to other requests', async () => {
    for (const headers of [{}, { accept: '*/*' }, { accept: 'application/json' }] as Record<string, string>[])
      assert.equal((await api.call('GET /messages', { headers })).body.items.length, 3)
  })

  test('answers a fault as problem details', async () => {
    const { status, headers } = await api.call('GET /messages?minSize=x', asCsv)
    assert.deepEqual([status, headers['content-type']], [400, 'application/problem+json'])
  })
})

test('GET /changes answers CSV, with links between its pages', async () => {
  const hostile = { name: '=1+1', connectorType: 'Partner', senderDomains: ['contoso.example'] }
  const { body: connector } = await api.call('POST /inbound-connectors', { json: hostile })
  await api.call('PUT /accepted-domains/ours.example', { json: { comment: 'a "b", c' } })
  const pages = await pagesFrom('/changes?limit=1')
  const columns = 'version,at,actor,kind,action,name,id,domain,before,after\r\n'
  const actor = 'arn:aws:iam::123456789012:user/administrator'
  const [domain = '', inbound = '', ...rest] = pages
  assert.deepEqual(rest, [])
  assert.ok(
    domain.startsWith(
      `${columns}2,2026-11-30T12:00:00.000Z,${actor},accepted-domain,Created,ours.example,,ours.example,,"{`,
    ),
    domain,
  )
  assert.match(domain, /""comment"":""a \\""b\\"", c""[^\n]*\}"\r\n$/)
  assert.ok(
    inbound.startsWith(
      `${columns}1,2026-11-30T12:00:00.000Z,${actor},inbound-connector,Created,'=1+1,${connector.id},,,"{`,
    ),
    inbound,
  )
  assert.equal(
    (await api.call('GET /changes?from=2100-01-01T00:00:00Z', asCsv)).body,
    columns,
    'the header line alone',
  )
})
