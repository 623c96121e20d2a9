import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expiryAnnouncement } from '../../../functions/watch-expiry/notice-text.ts'
import type { Consequence, ExpiryNotice } from '../../../shared/policy/certificate-expiry.ts'
import type { ObservedCertificate } from '../../../shared/tls/observed/observation.ts'
import { observation } from '../../support/observed.ts'

const [certificate] = observation([{ fingerprint256: 'a'.repeat(64) }]).certificates as [ObservedCertificate]
const partner = { id: 'c1', name: 'To the bank', connectorType: 'Partner' as const }

const notice = (fields: Partial<ExpiryNotice> = {}): ExpiryNotice => ({
  observedAs: 'PartnerServer',
  connector: partner,
  hosts: ['mx1.bank.example', 'mx2.bank.example'],
  certificate,
  days: 14,
  daysLeft: 10,
  consequence: 'MailWaits',
  newer: null,
  ...fields,
})

test('the expiry notice names connector, hosts, expiry, issuer and consequence', () => {
  const { subject, text, attributes } = expiryAnnouncement(notice())
  assert.equal(subject, 'mailflow: 10 days left: certificate of connector "To the bank"')
  assert.deepEqual(attributes, { kind: 'CertificateExpires', connector: 'To the bank' })
  for (const expected of [
    'A certificate that a next hop of connector "To the bank" presents expires in 10 days, on 2026-06-01T00:00:00.000Z.',
    'mx1.bank.example, mx2.bank.example, last 2026-01-15T00:00:00.000Z',
    'Consequence   mail through the connector is deferred',
    `SHA-256  ${'a'.repeat(64)}`,
    'Issuer   CN=Issuer One',
    'No newer certificate was observed.',
    'Ask the partner whether it has renewed it.',
    'docs/runbook.md, "A partner\'s certificate expires"',
  ])
    assert.ok(text.includes(expected), expected)
  const json = JSON.parse(text.slice(text.indexOf('\n{\n')))
  assert.deepEqual(
    [json.kind, json.observedAs, json.days, json.certificate.fingerprint256],
    ['CertificateExpires', 'PartnerServer', 14, 'a'.repeat(64)],
  )
})

for (const [what, fields, expected] of [
  ['a certificate with one day left', { daysLeft: 1 }, /1 day left.*expires in 1 day, on/s],
  ['a certificate with zero days left', { daysLeft: 0 }, /0 days left/],
  ['an expired certificate', { daysLeft: -1 }, /EXPIRED.*expired on 2026-06-01/s],
  [
    'a newer certificate that was also observed',
    {
      newer: {
        fingerprint256: 'b'.repeat(64),
        notAfter: '2027-01-01T00:00:00.000Z',
        firstSeen: '2026-01-10T00:00:00.000Z',
        host: 'mx2.bank.example',
      },
    },
    /A newer certificate was observed, valid until 2027-01-01T00:00:00\.000Z: b{64}, at mx2\.bank\.example since 2026-01-10/,
  ],
  [
    'the certificate of the ingress',
    { observedAs: 'Own', connector: null, hosts: ['mx.ours.example'], consequence: 'SendersDistrust' },
    /certificate of ingress mx\.ours\.example.*of the ingress expires.*none is scheduled.*secret of the ingress.*"An ingress or client certificate expires"/s,
  ],
  [
    "mailflow's client certificate",
    { observedAs: 'Own', hosts: ['mailflow/client-certificates/ours'] },
    /mailflow's client certificate for connector "To the bank".*into the secret mailflow\/client-certificates\/ours/s,
  ],
  [
    'the certificate of a sender',
    { observedAs: 'PartnerClient', consequence: 'MailRefused' },
    /by which connector "To the bank" identifies a sender.*mail is refused.*pins its fingerprint/s,
  ],
  [
    "the certificate of the organisation's own server",
    {
      observedAs: 'PartnerClient',
      connector: { ...partner, connectorType: 'OnPremises' },
      consequence: 'RelayDenied',
    },
    /is not relayed.*your own server: renew it there/s,
  ],
] as [string, Partial<ExpiryNotice>, RegExp][])
  test(`the expiry notice describes ${what}`, () => {
    const { subject, text } = expiryAnnouncement(notice(fields))
    assert.match(`${subject}\n${text}`, expected)
  })

for (const consequence of ['AsTlsaSays', 'RecordedOnly', 'Nothing'] as Consequence[])
  test(`the expiry notice with the consequence ${consequence} says that no mail stops or that nothing changes`, () => {
    assert.match(expiryAnnouncement(notice({ consequence })).text, /no mail stops|nothing changes/)
  })

test('a long connector name with control characters fits the subject of the expiry notice and adds no line to its text', () => {
  const name = `To the bank\u202e\nFrom: unknown ${'x'.repeat(200)}`
  const { subject, text } = expiryAnnouncement(
    notice({ connector: { ...partner, name }, hosts: Array(500).fill('h') }),
  )
  assert.ok(subject.length <= 100)
  assert.match(subject, /^[ -~]+$/)
  assert.doesNotMatch(text, /\u202e|\nFrom:/)
  assert.match(text, /and 480 more/)
})
