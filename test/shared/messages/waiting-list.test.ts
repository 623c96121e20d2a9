import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ScanCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { encodeTime } from 'ulid'
import type { Message } from '../../../shared/contract/message.ts'
import { AttemptClaims } from '../../../shared/messages/attempt-claims.ts'
import { recipientKey } from '../../../shared/messages/message-keys.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import { WaitingList, type WaitingPosition, waitingForOf } from '../../../shared/messages/waiting-list.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { emptyTable, startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { attempt, circumstances, message, recipient } from '../../support/fixtures.ts'

let database: TestDynamoDb
let trace: Trace
let claims: AttemptClaims
let list: WaitingList
const now = Date.parse('2026-02-03T12:00:00.000Z')
const expiresAt = 4_000_000_000

before(async () => {
  database = await startDynamoDb()
  trace = new Trace(database.documents, database.messagesTable)
  claims = new AttemptClaims(database.documents, database.messagesTable)
  list = new WaitingList(database.documents, database.messagesTable)
})
after(() => database.stop())
beforeEach(() => emptyTable(database, database.messagesTable))

let serial = 0

function received(minutesAgo = 60, fields: Partial<Message> = {}): Message {
  const at = now - minutesAgo * 60_000
  const id = `${encodeTime(at, 10)}${String(serial++).padStart(16, '0')}`
  return message({ id, receivedAt: new Date(at).toISOString(), size: 1234, ...fields })
}

const address = 'b@ours.example'
const verdict = (fields: Partial<Verdict> = {}, to = address): Verdict =>
  ({
    action: 'Defer',
    recipient: recipient({ address: to }),
    reason: 'RetryLater',
    explanation: '',
    connectors: { inbound: 'id-contoso', outbound: 'id-northwind' },
    decidedBy: null,
    lowered: [],
    newRequirement: null,
    reportOnly: null,
    reply: { code: 451, enhanced: '4.3.0', text: 'Later' },
    until: new Date(now + 600_000),
    expiresAt: new Date(now + 86_400_000),
    notifyDelay: false,
    ...fields,
  }) as Verdict

const record = (mail: Message, each = verdict()) => trace.recordVerdict(mail, each, circumstances, expiresAt)

async function rows() {
  const found: Parameters<Parameters<WaitingList['read']>[0]>[0][number][] = []
  assert.equal(
    await list.read(
      (some) => found.push(...some),
      () => false,
    ),
    true,
  )
  return found
}

test('a deferred recipient is in the list with what it waits for', async () => {
  const mail = received()
  await record(mail)
  const [row, ...more] = await rows()
  assert.equal(more.length, 0)
  assert.deepEqual(
    [row?.pk, row?.sender, row?.connectors, row?.wait],
    [
      mail.id,
      mail.envelope.mailFrom,
      ['id-contoso', 'id-northwind'],
      {
        size: 1234,
        direction: 'Incoming',
        reason: 'RetryLater',
        until: now + 600_000,
        givenUpAt: now + 86_400_000,
        connector: 'id-northwind',
      },
    ],
  )
})

describe('what a recipient waits for', () => {
  const cases: [name: string, fields: Partial<Verdict>, expected: object][] = [
    [
      'is its next hop, after a failed attempt',
      { reason: 'OutboundTlsNotMet' },
      { partner: 'ours.example', connector: 'id-northwind' },
    ],
    [
      'is a release or a correction, if an inbound connector holds it',
      { reason: 'InboundDmarcRequired' },
      { partner: 'elsewhere.example', connector: 'id-contoso' },
    ],
    [
      'is a route',
      { reason: 'NoRouteForAcceptedDomain', connectors: { inbound: 'id-contoso', outbound: null } },
      { partner: 'ours.example', connector: null },
    ],
  ]
  for (const [name, fields, expected] of cases)
    test(name, async () => {
      await record(received(), verdict(fields))
      const [row = assert.fail('no row')] = await rows()
      assert.deepEqual(waitingForOf(row), { direction: 'Incoming', reason: fields.reason, ...expected })
    })
})

describe('a recipient leaves the list', () => {
  const delivered = attempt({ outcome: 'Delivered' })
  const claimed = { now: new Date(now), leaseMs: 360_000, expiresAt, holder: 'worker' }
  const cases: [how: string, settle: (mail: Message) => Promise<unknown>][] = [
    ['when it is to be delivered', (mail) => record(mail, verdict({ action: 'Deliver' }))],
    ['when it bounces', (mail) => record(mail, verdict({ action: 'Bounce' }))],
    [
      'when its delivery is reported',
      (mail) => trace.recordDelivered(mail.id, address, delivered, expiresAt),
    ],
    [
      'when an attempt under way delivers it, although an earlier copy of its job deferred it',
      async ({ id }) => {
        await claims.claim({ messageId: id, address, attempt: 1 }, claimed)
        await claims.complete({ messageId: id, address, attempt: 1 }, 'worker', delivered, true)
      },
    ],
  ]
  for (const [how, settle] of cases)
    test(how, async () => {
      const mail = received()
      await record(mail)
      await settle(mail)
      const { messages } = await list.find(() => true, null, 10)
      assert.deepEqual(messages, [])
      const { Items = [] } = await database.documents.send(new ScanCommand({ TableName: 'messages' }))
      assert.deepEqual(
        Items.filter(({ waiting, wait }) => waiting ?? wait),
        [],
      )
    })
})

test('a canary is in no list', async () => {
  const canary = 'canary+01KF0CVZT0ABCDEFGHJKMNPQRS@mail.ours.example'
  await record(received(60, { canary, source: null }), verdict({}, canary))
  assert.deepEqual(await rows(), [])
})

test('a row of which the item has another state is not read: an earlier version left it behind', async () => {
  const [left, waits] = [received(), received()]
  for (const each of [left, waits]) await record(each)
  await database.documents.send(
    new UpdateCommand({
      TableName: 'messages',
      Key: recipientKey(left.id, address),
      UpdateExpression: 'SET #state = :delivered',
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: { ':delivered': 'Delivered' },
    }),
  )
  assert.deepEqual(
    (await rows()).map(({ pk }) => pk),
    [waits.id],
  )
})

describe('a search', () => {
  /** The ids of each page. */
  async function pages(limit: number): Promise<string[][]> {
    const found: string[][] = []
    let next: WaitingPosition | null = null
    do {
      const page: Awaited<ReturnType<typeof list.find>> = await list.find(
        ({ sk }) => !sk.endsWith('other.example'),
        next,
        limit,
      )
      found.push(page.messages.map(({ id }) => id))
      next = page.next
    } while (next !== null)
    return found
  }

  test('finds each message once, newest first, whatever the length of pages', async () => {
    const mail = Array.from({ length: 40 }, (_, n) => received(1000 - n))
    for (const each of mail)
      for (const to of [address, 'c@ours.example', 'd@other.example']) await record(each, verdict({}, to))
    for (const each of [received(10), received(2000)]) await record(each, verdict({}, 'd@other.example'))
    const ids = mail.map(({ id }) => id).reverse()
    for (const limit of [1, 7, 200]) assert.deepEqual((await pages(limit)).flat(), ids, `pages of ${limit}`)
  })
})

test('a read stops when its time is over, and says so', async () => {
  const mail = received()
  // More rows of one partition than a query reads.
  for (let n = 0; n < 501; n++) await record(mail, verdict({}, `r${n}@ours.example`))
  let count = 0
  const isComplete = await list.read(
    (some) => {
      count += some.length
    },
    () => true,
  )
  assert.deepEqual([isComplete, count], [false, 500])
})
