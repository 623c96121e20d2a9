import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TraceEntry } from '../../../../../../functions/console/app/api/types.ts'
import {
  foundRows,
  traceRows,
} from '../../../../../../functions/console/app/screens/messages/message-rows.ts'

const entry = (recipients: object[], source: object | null = { ip: '192.0.2.1' }): TraceEntry =>
  ({
    id: 'ID',
    receivedAt: '2026-02-01T00:00:00Z',
    source,
    tls: { negotiated: false, protocol: null },
    envelope: { mailFrom: '' },
    recipients,
  }) as unknown as TraceEntry

const delivered = {
  outcome: 'Delivered',
  host: 'mx.a.example',
  tls: { protocol: 'TLSv1.3', verified: true },
  reportOnly: null,
}

describe('rows of the trace', () => {
  test('are one for each recipient, with the session or the reason', () => {
    const rows = traceRows([
      entry([
        {
          address: 'a@b.example',
          state: 'Delivered',
          verdict: { reportOnly: '530 5.7.0' },
          attempts: [delivered],
        },
        {
          address: 'c@d.example',
          state: 'Deferred',
          verdict: { reason: 'RetryLater', reply: '451 4.3.0 Busy', reportOnly: null },
          attempts: [],
        },
        {
          address: 'e@f.example',
          state: 'Bounced',
          verdict: { reason: 'OutboundTlsNotMet', reply: '550 5.7.320', reportOnly: null },
          attempts: [],
        },
      ]),
    ])
    assert.deepEqual(
      rows.map(({ from, to, inbound, outbound }) => [from, to, inbound, outbound]),
      [
        ['<>', 'a@b.example', 'in the clear, report only: requirement not met', 'TLSv1.3, verified'],
        ['<>', 'c@d.example', 'in the clear', '451 4.3.0 Busy'],
        ['<>', 'e@f.example', 'in the clear', 'OutboundTlsNotMet'],
      ],
    )
    assert.equal(new Set(rows.map(({ key }) => key)).size, 3)
  })
})

describe('rows of a search', () => {
  const row = {
    origin_timestamp_utc: '2026-02-01T00:00:00Z',
    network_message_id: 'ID',
    recipient_address: 'a@b.example',
    sender_address: 'c@d.example',
    original_client_ip: '192.0.2.1',
    tls_version: 'TLSv1.3',
    count: null,
  }

  test('lead to the message, except for refusals', () => {
    const [found, refused] = foundRows([
      { ...row, state: 'Delivered', server_tls_version: 'None', server_verified: null },
      { ...row, state: 'Rejected', reply: '530 5.7.0 TLS', reason: 'InboundTlsRequired', count: 12 },
    ])
    assert.deepEqual([found?.id, found?.outbound, found?.count], ['ID', 'in the clear', 1])
    assert.deepEqual([refused?.id, refused?.outbound, refused?.count], [null, '530 5.7.0 TLS', 12])
  })

  test('say which messages mailflow created', () => {
    const [created] = foundRows([{ ...row, state: 'Pending', tls_version: null, original_client_ip: null }])
    assert.equal(created?.inbound, 'created by mailflow')
  })
})
