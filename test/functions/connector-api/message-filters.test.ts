/** GET /messages: each filter alone, and with others. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { RejectedSessions } from '../../../shared/messages/rejected-sessions.ts'
import { type ApiResult, createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { overTls } from '../../support/fixtures.ts'
import { traceMail } from '../../support/traced-mail.ts'

const now = Date.parse('2026-11-30T12:00:00Z')
const fromBank = '01KB00000000000000000C0001'
const toBank = '01KB00000000000000000C0002'

let dynamodb: TestDynamoDb
let api: ReturnType<typeof createTestApi>
let ids: string[] = []

const rejection = (number: number, fields: Partial<MailEvent>): MailEvent => ({
  id: `01KB${String(number).padStart(22, '0')}`,
  at: `2026-11-30T11:59:${60 - number}.000Z`,
  kind: 'Rejected',
  stage: 'Rcpt',
  clientIp: '192.0.2.1',
  softwareVersion: '0.2.0',
  ...fields,
})

const rejections = [
  rejection(1, { sender: 'x@bank.example', recipient: 'ann@ours.example', direction: 'Incoming' }),
  rejection(2, {
    stage: 'Data',
    sender: 'app@ours.example',
    recipient: 'teller@bank.example',
    direction: 'Originating',
    tlsVersion: 'TLSv1.3',
    headerMessageId: '<r2@ours.example>',
    inboundConnector: fromBank,
    clientIp: '192.0.2.2',
  }),
  rejection(3, { stage: 'Connect', clientIp: '203.0.113.0', count: 500 }),
  rejection(4, { stage: 'Hello', clientIp: '2001:db8::4' }),
]

before(async () => {
  dynamodb = await startDynamoDb()
  api = createTestApi(dynamodb.documents, () => now)
  const incoming = await traceMail(
    dynamodb,
    '2026-11-30T11:00:00Z',
    1,
    {
      mailFrom: 'teller@bank.example',
      tls: { ...overTls, protocol: 'TLSv1.2' },
      size: 20_000_000,
      source: { ip: '2001:db8::1', port: 1, helo: 'mx.bank.example' },
      headerMessageId: '<a@bank.example>',
    },
    {
      'ann@ours.example': {
        verdict: { connectors: { inbound: fromBank, outbound: null } },
        attempts: [{ outcome: 'Delivered' }],
      },
      'bob@branch.example': { verdict: { action: 'Bounce', reason: 'RelayDenied' } as never },
    },
  )
  const originating = await traceMail(
    dynamodb,
    '2026-11-30T10:00:00Z',
    2,
    { mailFrom: 'app@ours.example', direction: 'Originating', size: 1000 },
    {
      'teller@bank.example': {
        verdict: { action: 'Defer', connectors: { inbound: null, outbound: toBank } } as never,
      },
    },
  )
  const modern = await traceMail(
    dynamodb,
    '2026-11-30T09:00:00Z',
    3,
    { mailFrom: 'news@elsewhere.example', tls: overTls, size: 10_485_760 },
    { 'ann@ours.example': {} },
  )
  const notice = await traceMail(
    dynamodb,
    '2026-11-30T08:00:00Z',
    4,
    { mailFrom: '', direction: 'Originating', source: null, size: 3000 },
    { 'app@ours.example': {} },
  )
  ids = [incoming, originating, modern, notice].map(({ id }) => id)
  await new RejectedSessions(dynamodb.documents, dynamodb.messagesTable, 15).store(rejections)
})
after(() => dynamodb.stop())

/** The numbers of the messages, from 1. */
const found = async (query: string): Promise<number[]> => {
  const { status, body } = await api.call(`GET /messages?${query}`)
  assert.equal(status, 200, JSON.stringify(body))
  return body.items.map(({ id }: { id: string }) => ids.indexOf(id) + 1)
}

describe('GET /messages lists', () => {
  const rows: [query: string, numbers: number[]][] = [
    ['', [1, 2, 3, 4]],
    ['from=2026-11-30T09:00:00Z&to=2026-11-30T11:00:00Z', [2, 3]],
    ['sender=bank.example', [1]],
    ['recipient=BOB@branch.example', [1]],
    ['domain=bank.example', [1, 2]],
    ['domain=OURS.example', [1, 2, 3, 4]],
    ['domain=branch.example', [1]],
    ['domain=example', []],
    ['domain=elsewhere.example', [3]],
    ['state=Delivered', [1]],
    ['state=Bounced', [1]],
    ['state=Deferred', [2]],
    ['state=Pending', [3, 4]],
    [`connector=${fromBank}`, [1]],
    [`connector=${toBank}`, [2]],
    ['direction=Incoming', [1, 3]],
    ['direction=Originating', [2, 4]],
    ['messageId=a@bank.example', [1]],
    ['clientIp=2001:DB8::1', [1]],
    ['minSize=10485760', [1, 3]],
    ['minSize=10485761', [1]],
    ['minSize=1', [1, 2, 3, 4]],
    ['tlsVersion=None', [2]],
    ['tlsVersion=TLSv1.2', [1]],
    ['tlsVersion=TLSv1.3', [3]],
    ['domain=bank.example&direction=Originating', [2]],
    ['domain=bank.example&minSize=10485760', [1]],
    ['sender=bank.example&domain=branch.example', [1]],
    ['recipient=ann@ours.example&domain=branch.example', []],
    ['domain=branch.example&state=Bounced', [1]],
    ['domain=branch.example&state=Delivered', []],
    ['direction=Incoming&tlsVersion=TLSv1.3', [3]],
    ['direction=Incoming&tlsVersion=None', []],
    ['state=Pending&minSize=10000000', [3]],
    ['state=Deferred&tlsVersion=None', [2]],
    [`connector=${toBank}&tlsVersion=None`, [2]],
    ['clientIp=2001:db8::1&minSize=20000001', []],
    ['messageId=a@bank.example&direction=Originating', []],
    ['sender=%3C%3E&direction=Originating', [4]],
    [
      `from=2026-11-30T11:00:00Z&sender=bank.example&recipient=ours.example&domain=ours.example&state=Delivered&connector=${fromBank}&direction=Incoming&messageId=a@bank.example&clientIp=2001:db8::1&minSize=2&tlsVersion=TLSv1.2`,
      [1],
    ],
  ]
  for (const [query, numbers] of rows)
    test(`${numbers.length} of 4 messages with ?${query}`, async () => {
      assert.deepEqual(await found(query), numbers)
    })
})

describe('GET /messages?state=Rejected lists', () => {
  const rows: [query: string, numbers: number[]][] = [
    ['', [1, 2, 3, 4]],
    ['domain=bank.example', [1, 2]],
    ['domain=branch.example', []],
    ['direction=Incoming', [1]],
    ['direction=Originating', [2]],
    ['messageId=r2@ours.example', [2]],
    ['clientIp=192.0.2.2', [2]],
    ['clientIp=2001:DB8::4', [4]],
    ['tlsVersion=None', [1, 4]],
    ['tlsVersion=TLSv1.3', [2]],
    ['tlsVersion=TLSv1.2', []],
    [`connector=${fromBank}&sender=ours.example`, [2]],
    ['domain=bank.example&tlsVersion=None', [1]],
    ['recipient=ours.example&direction=Originating', []],
  ]
  for (const [query, numbers] of rows)
    test(`${numbers.length} of 4 events with ${query}`, async () => {
      const { body } = await api.call(`GET /messages?state=Rejected&${query}`)
      assert.deepEqual(
        body.items.map(({ id }: MailEvent) => Number(id.slice(4))),
        numbers,
      )
    })
})

describe('GET /messages refuses', () => {
  const faults = ({ status, body }: ApiResult) => [
    status,
    ...body.errors.map(({ path, message }: { path: string; message: string }) => `${path}: ${message}`),
  ]
  const rows: [target: string, faults: string[]][] = [
    [
      '/messages?state=Rejected&minSize=5',
      ['minSize: cannot be used with state=Rejected: most refusals come before the size is known'],
    ],
    ['/messages?since=2026-11-30T00:00:00Z', ['since: is now called from']],
    [
      '/messages?since=2026-11-30T00:00:00Z&until=2026-11-30T12:00:00Z',
      ['since: is now called from', 'until: is now called to'],
    ],
    ['/changes?until=2026-11-30T12:00:00Z', ['until: is now called to']],
    ['/tls-reports?since=2026-11-30', ['since: is now called from']],
    ['/dead-letters?until=2026-11-30T12:00:00Z', ['until: is now called to']],
    ['/dead-letters?since=2026-11-30T12:00:00Z', ['since: is not a known field']],
    ['/inbound-connectors?since=2026-11-30T12:00:00Z', ['since: is not a known field']],
    ['/messages?domain=not%20a%20domain', ['domain: is not a domain']],
    ['/messages?domain=', ['domain: is not a domain']],
    ['/messages?minSize=0', ['minSize: must be at least 1']],
    ['/messages?minSize=', ['minSize: must be at least 1']],
    ['/messages?direction=incoming', ['direction: must be "Originating" or "Incoming"']],
    ['/messages?tlsVersion=TLSv1.1', ['tlsVersion: must be "None", "TLSv1.2" or "TLSv1.3"']],
    [
      '/messages?from=2026-11-30T12:00:00Z&to=2026-11-30T12:00:00Z',
      ['from: must be earlier than the end of the period'],
    ],
  ]
  for (const [target, expected] of rows)
    test(target, async () => {
      assert.deepEqual(faults(await api.call(`GET ${target}`)), [400, ...expected])
    })

  const misread = ['10MB', '1.5', '-1', 'x', '1e400']
  for (const minSize of misread)
    test(`minSize=${minSize}`, async () => {
      const { status, body } = await api.call(`GET /messages?minSize=${minSize}`)
      assert.deepEqual([status, body.errors[0].path], [400, 'minSize'])
    })
})
