import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eventRows } from '../../../../../../functions/console/app/screens/message/event-rows.ts'
import {
  recipientsOf,
  requestedText,
} from '../../../../../../functions/console/app/screens/message/message-acts.ts'
import type {
  Attempt,
  Recipient,
} from '../../../../../../functions/console/app/screens/message/session-text.ts'
import {
  authenticationText,
  outboundSessionText,
  requirementText,
} from '../../../../../../functions/console/app/screens/message/session-text.ts'

const recipient = (address: string, state: string, reason: string): Recipient =>
  ({ address, state, verdict: { reason } }) as Recipient

describe('acts of an administrator', () => {
  const recipients = [
    recipient('a@b.example', 'Deferred', 'InboundTlsRequired'),
    recipient('c@d.example', 'Deferred', 'OutboundTlsNotMet'),
    recipient('e@f.example', 'Delivered', 'ConnectorMatched'),
  ]

  test('apply to waiting recipients; release to those that an inbound connector holds', () => {
    assert.deepEqual(recipientsOf('retry', recipients), ['a@b.example', 'c@d.example'])
    assert.deepEqual(recipientsOf('return', recipients), ['a@b.example', 'c@d.example'])
    assert.deepEqual(recipientsOf('release', recipients), ['a@b.example'])
  })

  test('name the recipients afterwards', () => {
    assert.match(
      requestedText('return', ['a@b.example', 'c@d.example']),
      /^Requested a return for a@b.example and c@d/,
    )
  })
})

describe('texts of sessions', () => {
  test('do not show a message that was not sent as one in the clear', () => {
    const session = (outcome: Attempt['outcome'], host = 'mx.a.example') =>
      outboundSessionText({ tls: null, host, outcome })
    assert.deepEqual(
      [
        session('Delivered'),
        session('TlsNotMet'),
        session('TemporaryFailure'),
        session('Delivered', 'Amazon SES'),
      ],
      ['in the clear', 'no TLS, not sent', 'without TLS', 'through Amazon SES'],
    )
  })

  test('name the source of a requirement', () => {
    const text = requirementText({ policy: 'Dane', policySource: 'Dane', reportOnlyLevel: null })
    assert.equal(text, "Dane was required by the next hop's TLSA records")
    assert.equal(
      requirementText({ policy: null, policySource: null, reportOnlyLevel: null }),
      'TLS was not required',
    )
  })

  test('have a line for each method of authentication', () => {
    assert.deepEqual(
      authenticationText({
        at: '2026-02-01T00:00:00Z',
        internal: null,
        spf: { result: 'pass', domain: 'a.example' },
        dkim: [],
        dmarc: { result: 'pass', fromDomain: 'a.example', policy: null, alignedBy: ['spf'] },
        arc: null,
      }),
      [
        'DMARC pass for a.example (From:), aligned by SPF, no policy',
        'SPF pass for a.example',
        'no DKIM signature',
      ],
    )
  })
})

describe('events of a message', () => {
  const event = { id: '1', at: '2026-02-01T00:00:00Z', softwareVersion: '1' } as const

  test('have the client of an accepted message, and the reply of an attempt', () => {
    const [accepted, attempted, requested] = eventRows([
      { ...event, kind: 'Accepted', clientIp: '192.0.2.1', host: 'x' },
      {
        ...event,
        kind: 'Attempted',
        host: 'mx.a.example',
        tlsResult: 'validation-failure',
        reply: '451 4.7.5 No',
      },
      { ...event, kind: 'Requested', request: 'Release', actor: 'ann', comment: 'known' },
    ])
    assert.deepEqual([accepted?.host, accepted?.tls], ['192.0.2.1', 'in the clear'])
    assert.deepEqual(
      [attempted?.host, attempted?.tls, attempted?.explanation],
      ['mx.a.example', 'no TLS', '451 4.7.5 No'],
    )
    assert.deepEqual([requested?.result, requested?.explanation], ['Release', 'ann: known'])
  })
})
