import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../../../shared/policy/explain/explain.ts'
import { inbound, outbound, overTls, receivedAt, snapshot } from '../../../support/fixtures.ts'

const domain = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(50)}.example`
const connectors = snapshot({
  acceptedDomains: [domain],
  outbound: Array.from({ length: 120 }, (_, index) =>
    outbound({
      id: `01JG0000000000000000000${String(index).padStart(3, '0')}`,
      name: `${'n'.repeat(60)}${index}`,
      recipientDomains: [index % 2 === 0 ? domain : `*.${domain}`],
    }),
  ),
})

/** Recipients, and the number of connectors listed for each. */
const rows: [recipients: number, listed: number][] = [
  [1, 100],
  [10, 100],
  [100, 10],
]

for (const [count, listed] of rows)
  test(`an explanation for ${count} recipients lists ${listed} of 120 connectors for each, the deciding one first`, () => {
    const rcptTo = Array.from({ length: count }, (_, index) => `u${index}@${domain}`)
    const question = { mailFrom: '', rcptTo, ip: '192.0.2.1', tls: overTls }
    const { recipients } = explain(connectors, { defaultRoute: 'Mx' }, question, receivedAt)
    for (const { considered } of recipients) {
      assert.equal(considered.length, listed)
      assert.equal(considered[0]?.outcome, 'Decides')
    }
    // The largest response of AWS Lambda.
    assert.ok(Buffer.byteLength(JSON.stringify(recipients)) < 6e6)
  })

/** Partner connectors, and the name of the one that the warning names. */
const partners: [title: string, connectors: Parameters<typeof inbound>[0][], named: string | null][] = [
  ['an enforced connector', [{ name: 'A' }], 'A'],
  ['a connector that only reports', [{ name: 'A', mode: 'ReportOnly' }], 'A'],
  ['a connector for subdomains', [{ name: 'A', senderDomains: ['*.partner.example'] }], 'A'],
  [
    'an enforced connector for all domains and one that only reports for the domain',
    [
      { name: 'A', senderDomains: ['*'] },
      { name: 'B', mode: 'ReportOnly' },
    ],
    'B',
  ],
  ['a connector for all domains', [{ name: 'A', senderDomains: ['*'] }], null],
  ['a disabled connector', [{ name: 'A', enabled: false }], null],
]
for (const [title, overrides, named] of partners)
  test(`an explanation for a sender of ${title} has ${named === null ? 'no' : 'a'} warning about the From: field`, () => {
    const connectors = overrides.map((fields) =>
      inbound({ connectorType: 'Partner', senderDomains: ['mail.partner.example'], ...fields }),
    )
    const { warnings } = explain(
      snapshot({ inbound: connectors }),
      { defaultRoute: 'Mx' },
      { mailFrom: 'a@mail.partner.example', rcptTo: ['b@ours.example'], ip: '192.0.2.1', tls: overTls },
      receivedAt,
    )
    assert.deepEqual(
      warnings.map((text) => /^Connector "(.)" .* From: address of mail\.partner\.example /.exec(text)?.[1]),
      named === null ? [] : [named],
    )
  })
