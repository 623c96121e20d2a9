import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { changeColumns, changeRow } from '../../../shared/event-queries/change-columns.ts'
import { messageColumnNames, rejectedRow } from '../../../shared/event-queries/message-columns.ts'
import { type TracedMessage, tracedRows } from '../../../shared/event-queries/traced-rows.ts'

type Recipient = TracedMessage['recipients'][number]
type Attempt = Recipient['attempts'][number]

const recipient = (fields: Partial<Recipient> = {}): Recipient => ({
  address: 'ann@ours.example',
  state: 'Delivered',
  verdict: { reason: 'ConnectorMatched', reply: null, connectors: { inbound: 'in', outbound: 'out' } },
  attempts: [],
  ...fields,
})
const attempt = (fields: Partial<Attempt> = {}): Attempt => ({
  outcome: 'Delivered',
  host: 'mx.ours.example',
  tls: { protocol: 'TLSv1.3', verified: true },
  reply: '250 2.0.0 Ok',
  ...fields,
})
const traced = (fields: Partial<TracedMessage> = {}): TracedMessage => ({
  id: 'ID',
  receivedAt: '2026-02-03T10:00:00.000Z',
  direction: 'Incoming',
  source: { ip: '192.0.2.9', helo: 'mx.bank.example' },
  tls: { protocol: 'TLSv1.2' },
  envelope: { mailFrom: 'teller@bank.example' },
  headerMessageId: '<a1@bank.example>',
  size: 1000,
  recipients: [recipient()],
  ...fields,
})
const rowOf = (fields: Partial<TracedMessage>) => tracedRows(traced(fields))[0] ?? {}

/** https://learn.microsoft.com/exchange/monitoring/trace-an-email-message/message-trace-modern-eac */
const exchangeColumns = [
  'origin_timestamp_utc',
  'sender_address',
  'recipient_status',
  'total_bytes',
  'message_id',
  'network_message_id',
  'original_client_ip',
  'directionality',
  'connector_id',
]

describe('the row of a recipient', () => {
  test('begins with the columns of an enhanced summary report of Exchange Online, without the subject', () => {
    assert.deepEqual(messageColumnNames.slice(0, exchangeColumns.length), exchangeColumns)
    assert.equal(new Set(messageColumnNames).size, messageColumnNames.length)
  })

  test('has what is known of the message, its session and its last attempt', () => {
    const attempts = [attempt({ outcome: 'TemporaryFailure', reply: '451 4.3.2 Busy' }), attempt()]
    assert.deepEqual(rowOf({ recipients: [recipient({ attempts })] }), {
      origin_timestamp_utc: '2026-02-03T10:00:00.000Z',
      sender_address: 'teller@bank.example',
      recipient_status: 'ann@ours.example##Receive, Send',
      total_bytes: 1000,
      message_id: '<a1@bank.example>',
      network_message_id: 'ID',
      original_client_ip: '192.0.2.9',
      directionality: 'Incoming',
      connector_id: 'in',
      client_hostname: 'mx.bank.example',
      server_hostname: 'mx.ours.example',
      recipient_address: 'ann@ours.example',
      state: 'Delivered',
      tls_version: 'TLSv1.2',
      inbound_connector: 'in',
      outbound_connector: 'out',
      server_tls_version: 'TLSv1.3',
      server_verified: true,
      reason: 'ConnectorMatched',
      reply: '250 2.0.0 Ok',
      stage: null,
      count: null,
    })
  })

  test('exists for each recipient', () => {
    const recipients = [recipient(), recipient({ address: 'bob@ours.example', state: 'Bounced' })]
    assert.deepEqual(
      tracedRows(traced({ recipients })).map((row) => row.recipient_status),
      ['ann@ours.example##Receive, Send', 'bob@ours.example##Receive, Fail'],
    )
  })

  const deferral = {
    reason: 'RetryLater',
    reply: '451 4.4.7 Later',
    connectors: { inbound: null, outbound: 'out' },
  }
  const cases: [name: string, fields: Partial<TracedMessage>, values: Record<string, unknown>][] = [
    [
      'a message that mailflow created has no client',
      { source: null, envelope: { mailFrom: '' } },
      { sender_address: '<>', original_client_ip: null, client_hostname: null, tls_version: null },
    ],
    ['a session in the clear', { tls: { protocol: null } }, { tls_version: 'None' }],
    [
      'no decision and no attempt yet',
      { recipients: [recipient({ state: 'Pending', verdict: null })] },
      {
        recipient_status: 'ann@ours.example##Receive',
        connector_id: null,
        server_hostname: null,
        server_tls_version: null,
        reason: null,
        reply: null,
      },
    ],
    [
      'a deferral has the reply of its decision, and the outbound connector if there is no inbound one',
      {
        recipients: [
          recipient({
            state: 'Deferred',
            verdict: deferral,
            attempts: [attempt({ outcome: 'TemporaryFailure', tls: null, reply: '451 4.3.2 Busy' })],
          }),
        ],
      },
      {
        recipient_status: 'ann@ours.example##Receive, Defer',
        connector_id: 'out',
        reply: '451 4.4.7 Later',
        server_tls_version: null,
        server_verified: null,
      },
    ],
    [
      'a delivery after a deferral has the reply of the next hop',
      { recipients: [recipient({ verdict: deferral, attempts: [attempt()] })] },
      { reply: '250 2.0.0 Ok' },
    ],
    [
      'a delivery in the clear',
      { recipients: [recipient({ attempts: [attempt({ tls: null })] })] },
      { server_tls_version: 'None', server_verified: null },
    ],
    [
      'a delivery by Amazon SES, which does not show its session',
      { recipients: [recipient({ attempts: [attempt({ tls: null, host: 'Amazon SES' })] })] },
      { server_hostname: 'Amazon SES', server_tls_version: null },
    ],
    [
      'a state of a later release',
      { recipients: [recipient({ state: 'Quarantined' })] },
      { recipient_status: 'ann@ours.example##Receive', state: 'Quarantined' },
    ],
  ]
  for (const [name, fields, values] of cases)
    test(`shows ${name}`, () => {
      const row = rowOf(fields)
      assert.deepEqual(Object.fromEntries(Object.keys(values).map((column) => [column, row[column]])), values)
    })
})

describe('the row of a refusal', () => {
  const filled = (row: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))

  test('has the columns of its event', () => {
    const row = rejectedRow({
      at: '2026-02-03T10:00:00.000Z',
      sender: 'x@partner.example',
      recipient: 'bob@ours.example',
      clientIp: '192.0.2.1',
      helo: 'mx.partner.example',
      direction: 'Incoming',
      inboundConnector: 'in',
      tlsVersion: 'TLSv1.2',
      stage: 'Data',
      reason: 'InboundTlsRequired',
      reply: '530 5.7.0 no',
      size: 12,
      headerMessageId: '<1@partner.example>',
    })
    assert.deepEqual(Object.keys(row), messageColumnNames)
    assert.deepEqual(filled(row), {
      origin_timestamp_utc: '2026-02-03T10:00:00.000Z',
      sender_address: 'x@partner.example',
      recipient_status: 'bob@ours.example##Fail',
      total_bytes: 12,
      message_id: '<1@partner.example>',
      original_client_ip: '192.0.2.1',
      directionality: 'Incoming',
      connector_id: 'in',
      client_hostname: 'mx.partner.example',
      recipient_address: 'bob@ours.example',
      state: 'Rejected',
      tls_version: 'TLSv1.2',
      inbound_connector: 'in',
      reason: 'InboundTlsRequired',
      reply: '530 5.7.0 no',
      stage: 'Data',
      count: 1,
    })
  })

  test('claims nothing of the sessions that are counted together', () => {
    const row = rejectedRow({ at: '2026-02-03T10:00:00.000Z', clientIp: '203.0.113.0', count: 500 })
    assert.deepEqual(filled(row), {
      origin_timestamp_utc: '2026-02-03T10:00:00.000Z',
      recipient_status: '##Fail',
      original_client_ip: '203.0.113.0',
      state: 'Rejected',
      count: 500,
    })
  })

  test('of a session that was refused before MAIL FROM has no sender, and was in the clear', () => {
    const row = rejectedRow({ at: '2026-02-03T10:00:00.000Z', stage: 'Hello' })
    assert.deepEqual([row.sender_address, row.tls_version], [null, 'None'])
  })
})

test('the row of a change has its fields before and after as JSON', () => {
  const change = {
    version: 2,
    at: '2026-02-03T10:00:00.000Z',
    actor: 'arn',
    kind: 'inbound-connector',
    action: 'Changed',
    name: 'Contoso',
    id: 'ID',
  }
  const row = changeRow({ ...change, before: { comment: 'a "b", c' }, after: null })
  assert.deepEqual(row, { ...change, before: '{"comment":"a \\"b\\", c"}', after: null })
  for (const column of Object.keys(row))
    assert.ok(
      changeColumns.some((name) => name === column),
      column,
    )
})
