/** The numbers and texts of a partner's page. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  changedFields,
  directionNumbers,
  fieldTexts,
  firstDay,
  mailCountText,
  refusalsByReason,
  refusedMailPath,
  scopesOf,
} from '../../../../../../functions/console/app/screens/partners/partner-numbers.ts'
import {
  type Pair,
  pairConnectors,
} from '../../../../../../functions/console/app/screens/partners/partner-pairs.ts'
import { inboundOf, outboundOf } from './connectors.ts'

test('a period begins with a day', () => {
  const now = Date.parse('2026-12-01T08:30:00Z')
  assert.equal(firstDay(now, 1), '2026-12-01T00:00:00.000Z')
  assert.equal(firstDay(now, 7), '2026-11-25T00:00:00.000Z')
})

test('reports are read by domain if there is only one, otherwise by connector', () => {
  const scopes = (domains: string[]) =>
    scopesOf(
      pairConnectors(
        [inboundOf({ senderDomains: domains })],
        [outboundOf({ recipientDomains: domains })],
      )[0] as Pair,
    )
  assert.deepEqual(scopes(['bank.example']), [{ partner: 'bank.example' }])
  const byConnector = [{ connector: 'IN-From the bank' }, { connector: 'OUT-To the bank' }]
  assert.deepEqual(scopes(['bank.example', 'bank.test']), byConnector)
  assert.deepEqual(scopes(['*.bank.example']), byConnector)
})

test('mail is added up by direction', () => {
  const [inbound, outbound] = directionNumbers([
    { direction: 'Inbound', tls13: 1, refused: 2 },
    { direction: 'Inbound', tls13: 2, inClear: 1, lastMail: '2026-11-30T10:00:00.000Z' },
  ])
  assert.deepEqual([inbound?.lastMail, outbound?.lastMail], ['2026-11-30T10:00:00.000Z', null])
  assert.deepEqual([inbound?.tls13, inbound?.inClear, inbound?.refused, outbound?.tls13], [3, 1, 2, 0])
})

test('a change says how much mail it concerns, as the page counts it', () => {
  const rows = [
    { direction: 'Inbound', tls13: 3, inClear: 1, refused: 2 },
    { direction: 'Inbound', tls12: 1 },
    { direction: 'Outbound', tls13: 1, unknown: 1, refused: 1 },
  ]
  const [ofDomain] = pairConnectors([inboundOf()], [outboundOf()])
  const [ofConnectors] = pairConnectors([inboundOf({ senderDomains: ['*.bank.example'] })], [])
  const inbound = mailCountText(ofDomain as Pair, 'inbound', rows, 7)
  assert.equal(
    inbound,
    'In the last 7 days, 5 messages came from bank.example; connectors refused 2 messages.',
  )
  assert.equal(
    mailCountText(ofDomain as Pair, 'outbound', rows, 7),
    'In the last 7 days, 2 messages were delivered to bank.example; 1 attempt did not get the required TLS.',
  )
  assert.equal(
    mailCountText(ofConnectors as Pair, 'inbound', rows.slice(1, 2), 30),
    'In the last 30 days, 1 message came under this connector.',
  )
  assert.equal(
    mailCountText(ofDomain as Pair, 'inbound', [], 7),
    'In the last 7 days, 0 messages came from bank.example.',
  )
})

test('refusals are counted by reason, and lead to the mail of the last day', () => {
  const [first, second] = refusalsByReason([
    { reason: 'RelayDenied', count: 1, date: '2026-11-30', reply: '550 5.7.64' },
    { reason: 'InboundTlsRequired', count: 2, date: '2026-12-01', reply: '530 5.7.0' },
    { reason: 'InboundTlsRequired', count: 3, date: '2026-11-29', reply: '530 5.7.0' },
  ])
  assert.deepEqual(first, {
    reason: 'InboundTlsRequired',
    replies: ['530 5.7.0'],
    count: 5,
    day: '2026-12-01',
  })
  assert.equal(second?.count, 1)
  assert.equal(
    refusedMailPath({ partner: 'bank.example' }, '2026-12-01'),
    '/messages?state=Rejected&domain=bank.example&from=2026-12-01T00%3A00%3A00.000Z&to=2026-12-02T00%3A00%3A00.000Z',
  )
})

test('a change lists the fields that differ', () => {
  const change = { version: 2, at: '', actor: '', kind: 'inbound-connector', name: '' } as const
  assert.deepEqual(
    changedFields({
      ...change,
      action: 'Changed',
      before: { mode: 'Enforce' },
      after: { mode: 'ReportOnly' },
    }),
    [{ field: 'mode', from: 'Enforce', to: 'ReportOnly' }],
  )
  assert.deepEqual(
    changedFields({ ...change, action: 'Created', before: null, after: { mode: 'Enforce' } }),
    [],
  )
})

test('fields are shown without the text of certificates', () => {
  const texts = Object.fromEntries(
    fieldTexts(
      outboundOf({ certificateAuthorities: ['PEM'], smartHosts: [{ host: 'a.example', port: 25 }] }),
    ).map(({ field, value }) => [field, value]),
  )
  assert.equal(texts.certificateAuthorities, '1 authority')
  assert.equal(texts.smartHosts, 'a.example:25')
  assert.equal(texts.tlsDomain, 'none')
  assert.equal(texts.validation, undefined)
})
