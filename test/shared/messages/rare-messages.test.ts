/** Filters that few of many messages match: each message is found, and the work of a page is limited. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { BatchWriteCommand, type DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { encodeTime } from 'ulid'
import { domainOf } from '../../../shared/mail/address.ts'
import { parseMailboxFilter } from '../../../shared/mail/mailbox-filter.ts'
import { searchedMessageId } from '../../../shared/messages/header-message-id.ts'
import { History, type HistoryFilter, type HistoryPosition } from '../../../shared/messages/history.ts'
import { messageItem } from '../../../shared/messages/message-item.ts'
import { indexKeys, messageKey, recipientKey } from '../../../shared/messages/message-keys.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { message, overTls } from '../../support/fixtures.ts'

const count = 5000
const rare = [17, 2500, 4990]
const start = Date.parse('2026-02-02T00:00:00Z')
/** Each message is received ten seconds after the one before, so they are of the same day. */
const timeOf = (n: number) => start + n * 10_000
const idOf = (n: number) => `${encodeTime(timeOf(n), 10)}${String(n).padStart(16, '0')}`
const newestRare = rare.map(idOf).reverse()

const mail = (n: number) => {
  const matches = rare.includes(n)
  return message({
    id: idOf(n),
    receivedAt: new Date(timeOf(n)).toISOString(),
    mailFrom: matches ? 'Ann@rare.example' : `s${n}@common.example`,
    direction: matches ? 'Originating' : 'Incoming',
    source: { ip: matches ? '192.0.2.9' : '192.0.2.1', port: 1, helo: 'x' },
    size: matches ? 20_000_000 : 1000,
    headerMessageId: matches ? '<rare@rare.example>' : `<${n}@common.example>`,
    ...(!matches && { tls: overTls }),
  })
}

/** The items that recordMessage, recordVerdict and completing an attempt write. */
function itemsOf(n: number): Record<string, unknown>[] {
  const received = mail(n)
  const { id, receivedAt, envelope, source, headerMessageId = '' } = received
  const address = `r@${rare.includes(n) ? 'rare' : 'ours'}.example`
  return [
    { ...messageKey(id), ...messageItem(received, null) },
    {
      ...recipientKey(id, address),
      ...indexKeys(id, receivedAt),
      state: 'Delivered',
      sender: envelope.mailFrom,
      clientIp: source?.ip,
      headerMessageId: searchedMessageId(headerMessageId),
      connectors: [rare.includes(n) ? 'rare' : 'common'],
    },
  ]
}

let database: TestDynamoDb

before(async () => {
  database = await startDynamoDb()
  const items = Array.from({ length: count }, (_, n) => itemsOf(n)).flat()
  for (let first = 0; first < items.length; first += 25) {
    const requests = items.slice(first, first + 25).map((Item) => ({ PutRequest: { Item } }))
    await database.documents.send(new BatchWriteCommand({ RequestItems: { messages: requests } }))
  }
})
after(() => database.stop())

/** Counts the items that the calls read. */
function countingClient(): { documents: DynamoDBDocumentClient; reads: { rows: number; items: number } } {
  const reads = { rows: 0, items: 0 }
  const send = async (command: { input: { RequestItems?: { messages?: { Keys?: unknown[] } } } }) => {
    const result = (await database.documents.send(command as never)) as { ScannedCount?: number }
    reads.items += command.input.RequestItems?.messages?.Keys?.length ?? 0
    reads.rows += result.ScannedCount ?? 0
    return result
  }
  return { documents: { send } as unknown as DynamoDBDocumentClient, reads }
}

const everyMessage: HistoryFilter = {
  since: new Date(start),
  until: new Date(start + 86_400_000),
  sender: null,
  recipient: null,
  domain: null,
  state: null,
  connector: null,
  direction: null,
  messageId: null,
  clientIp: null,
  minSize: null,
  tlsVersion: null,
}

async function search(filter: Partial<HistoryFilter>, limit: number, rowsPerPage?: number) {
  const { documents, reads } = countingClient()
  const history = new History(documents, 'messages', rowsPerPage)
  const pages: { ids: string[]; rows: number; items: number }[] = []
  let from: HistoryPosition | null = null
  do {
    Object.assign(reads, { rows: 0, items: 0 })
    const page: Awaited<ReturnType<History['page']>> = await history.page(
      { ...everyMessage, ...filter },
      from,
      limit,
    )
    pages.push({ ids: page.entries.map(({ id }) => id), ...reads })
    from = page.next
  } while (from)
  return pages
}

const filters: [name: string, filter: Partial<HistoryFilter>][] = [
  ['the direction', { direction: 'Originating' }],
  ['the size', { minSize: 10_000_000 }],
  ['the TLS version', { tlsVersion: 'None' }],
  ['the Message-ID', { messageId: 'rare@rare.example' }],
  ['the sender', { sender: parseMailboxFilter('ann@rare.example') }],
  ['the recipient', { recipient: parseMailboxFilter('r@rare.example') }],
  ['the domain', { domain: domainOf('x@rare.example') }],
  ['the connector', { connector: 'rare' }],
  ['the client', { clientIp: '192.0.2.9' }],
  ['the state and the size', { state: 'Delivered', minSize: 10_000_000 }],
  ['the client and the TLS version', { clientIp: '192.0.2.9', tlsVersion: 'None' }],
  ['the direction and the domain', { direction: 'Originating', domain: 'rare.example' }],
  [
    'all filters together',
    {
      sender: parseMailboxFilter('rare.example'),
      recipient: parseMailboxFilter('rare.example'),
      domain: 'rare.example',
      state: 'Delivered',
      connector: 'rare',
      direction: 'Originating',
      messageId: '<rare@rare.example>',
      clientIp: '192.0.2.9',
      minSize: 20_000_000,
      tlsVersion: 'None',
    },
  ],
]

describe(`a filter that 3 of ${count} messages match`, () => {
  for (const [name, filter] of filters)
    test(`finds them by ${name}`, async () => {
      const pages = await search(filter, 2)
      assert.deepEqual(
        pages.map(({ ids }) => ids),
        [newestRare.slice(0, 2), newestRare.slice(2)],
      )
    })

  for (const [name, filter] of filters.slice(0, 3))
    test(`finds them by ${name} when a page may read only 700 rows, some pages being empty`, async () => {
      const pages = await search(filter, 50, 700)
      assert.deepEqual(
        pages.flatMap(({ ids }) => ids),
        newestRare,
      )
      assert.ok(pages.length >= count / 800, `${pages.length} pages`)
      assert.ok(pages.some(({ ids }) => ids.length === 0))
    })

  test('limits the items that are read for a page, also when the index selects and the states are checked', async () => {
    // The last batch, and the one that was begun when it ended, have a hundred rows each and two items for a row.
    for (const filter of [
      { minSize: 10_000_000 },
      { minSize: 10_000_000, clientIp: '192.0.2.1' },
      { minSize: 10_000_000, state: 'Delivered', clientIp: '192.0.2.1' },
    ] as const)
      for (const { items } of await search(filter, 50, 500))
        assert.ok(items <= 900, `${items} items for ${JSON.stringify(filter)}`)
  })

  test('that the other filters exclude reads no message', async () => {
    const pages = await search({ minSize: 1, connector: 'unknown' }, 50)
    assert.deepEqual(
      pages.map(({ items }) => items),
      pages.map(() => 0),
    )
  })

  test('finds nothing when each filter matches other messages', async () => {
    const pages = await search({ direction: 'Originating', domain: 'common.example' }, 50)
    assert.deepEqual(
      pages.flatMap(({ ids }) => ids),
      [],
    )
  })
})

test('a message with many recipients that match in several batches is found once', async () => {
  const received = message({
    id: `${encodeTime(Date.parse('2026-03-01T12:00Z'), 10)}${'0'.repeat(16)}`,
    receivedAt: '2026-03-01T12:00:00.000Z',
    size: 20_000_000,
  })
  const { id, receivedAt, envelope } = received
  const recipients = Array.from({ length: 450 }, (_, n) => ({
    ...recipientKey(id, `r${n}@ours.example`),
    ...indexKeys(id, receivedAt),
    state: 'Delivered',
    sender: envelope.mailFrom,
    connectors: [],
  }))
  const items = [{ ...messageKey(id), ...messageItem(received, null) }, ...recipients]
  for (let first = 0; first < items.length; first += 25) {
    const requests = items.slice(first, first + 25).map((Item) => ({ PutRequest: { Item } }))
    await database.documents.send(new BatchWriteCommand({ RequestItems: { messages: requests } }))
  }
  const span = { since: new Date('2026-03-01T00:00Z'), until: new Date('2026-03-02T00:00Z') }
  for (const filter of [{ minSize: 10_000_000 }, { minSize: 10_000_000, state: 'Delivered' as const }])
    for (const rowsPerPage of [1, 5000])
      assert.deepEqual(
        (await search({ ...span, ...filter }, 1, rowsPerPage)).flatMap(({ ids }) => ids),
        [id],
      )
})
