import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatNotice } from '../../../functions/evaluate-policy/notice-text.ts'
import type { CertificateNotice } from '../../../shared/contract/jobs.ts'
import { summaryOf } from '../../../shared/tls/certificate-summary.ts'
import type { AcceptedCertificate } from '../../../shared/transport/observed-list.ts'
import { certificateNotice, clientCertificate, receivedAt } from '../../support/fixtures.ts'

const accepted: AcceptedCertificate = {
  ...summaryOf(clientCertificate()),
  lastSeen: '2026-01-14T09:00:00.000Z',
}
const text = (fields: Partial<CertificateNotice>, last: AcceptedCertificate | null = accepted): string =>
  formatNotice(certificateNotice({ ...(fields as object) }), last).text

test('a notice of an unknown certificate is a text for administrators, followed by its data as JSON', () => {
  const announcement = formatNotice(certificateNotice(), accepted)
  const [prose, data = ''] = announcement.text.split(/^(?=\{$)/m)
  assert.equal(announcement.subject, 'mailflow: unknown certificate at connector "Contoso"')
  assert.deepEqual(announcement.attributes, { kind: 'UnknownCertificate', connector: 'Contoso' })
  assert.equal(
    prose,
    `Connector "Contoso" got a certificate that it does not know.

Fault                   presented names [mx1.contoso.example], expected [mail.contoso.example]
Trusted for the domain  yes: a trusted authority issued it for a name of the connector's sender domains
Consequence             the mail is refused in session; the sender's server notifies the sender
Presented               2026-01-15T12:00:00.000Z, from 192.0.2.1, sender of contoso.example

Presented certificate:

  SHA-256  ${'cd'.repeat(32)}
  Subject  CN=mx1.contoso.example
  Names    mx1.contoso.example
  Issuer   CN=Some Public CA
  Serial   01
  Valid    2025-12-01T00:00:00.000Z to 2026-12-01T00:00:00.000Z

Last accepted certificate, on 2026-01-14T09:00:00.000Z:

  SHA-256  ${'ab'.repeat(32)}
  Subject  CN=mail.contoso.example
  Names    mail.contoso.example
  Issuer   CN=Some Public CA
  Serial   01
  Valid    2025-12-01T00:00:00.000Z to 2026-12-01T00:00:00.000Z

If it is the partner's, and you have confirmed its SHA-256 by another means than mail, add to the connector
(id-contoso) one of these entries:
  tlsSenderCertificateNames: mx1.contoso.example
  certificateFingerprints: ${'cd'.repeat(32)}

If it is not, or if you cannot tell, do not change the connector. More: docs/runbook.md, "A partner presents an unknown certificate".

`,
  )
  const { failures: _failures, ...fields } = certificateNotice()
  assert.deepEqual(JSON.parse(data), { ...fields, accepted })
})

describe('a notice of an unknown certificate', () => {
  const heldUntil = '2026-01-16T12:00:00.000Z'
  const rows: [string, string, RegExp][] = [
    [
      'names the time until which mail is held',
      text({ consequence: 'Held', heldUntil }),
      /the mail is held until 2026-01-16T12:00/,
    ],
    [
      'names the command that delivers held mail',
      text({ consequence: 'Held', heldUntil }),
      /Then deliver the held mail:\n {2}npx mailflow retry --connector id-contoso\n/,
    ],
    [
      'with one possible remedy says "this entry", not "one of these entries"',
      text({ remedies: [{ field: 'certificateFingerprints', add: 'cd'.repeat(32) }] }),
      /add to the connector\n\(id-contoso\) this entry:\n {2}certificateFingerprints: (cd){32}\n/,
    ],
    ['says that mail is bounced', text({ consequence: 'Bounced' }), /the mail is bounced/],
    [
      'says for a ReportOnly connector what Enforce mode would do',
      text({ consequence: 'RecordedOnly' }),
      /none, because the connector is in ReportOnly mode; in Enforce mode it would refuse/,
    ],
    [
      "says that mail of the organisation's server is not relayed",
      text({ consequence: 'RelayDenied' }),
      /and not relayed/,
    ],
    [
      'says that no earlier accepted certificate is on record',
      text({}, null),
      /Last accepted certificate: none on record\./,
    ],
    [
      'says that the presented certificate was accepted before',
      text({}, { ...accepted, fingerprint256: 'cd'.repeat(32) }),
      /The connector accepted this certificate before, last on 2026-01-14T09:00:00\.000Z\./,
    ],
    [
      'without a possible remedy says that the connector cannot accept the certificate',
      text({ remedies: [] }),
      /The connector cannot accept this certificate\./,
    ],
    [
      'says that anyone can create a certificate that no trusted authority issued for the domain',
      text({ vouchedFor: false }),
      /Trusted for the domain {2}no: anyone can create such a certificate/,
    ],
    ['says that the session had no sender', text({ senderDomain: null }), /from 192\.0\.2\.1, no sender\n/],
  ]
  for (const [name, notice, expected] of rows) test(name, () => assert.match(notice, expected))
})

test('a notice of an unknown certificate names no retry when mail is not held', () =>
  assert.doesNotMatch(text({ consequence: 'Bounced' }), /retry/))

test('the subject of a notice is valid for SNS with any connector name', () =>
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 }), (name) => {
      const notice = certificateNotice()
      const { subject } = formatNotice({ ...notice, connector: { ...notice.connector, name } }, null)
      assert.match(subject, /^mailflow: unknown certificate at connector "[ -~]+"$/)
      assert.ok(subject.length <= 100)
    }),
  ))

test('the notice of these tests has the time at which its message was received', () =>
  assert.equal(certificateNotice().at, receivedAt.toISOString()))
