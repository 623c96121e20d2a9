import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { announce } from '../../../functions/evaluate-policy/notice-text.ts'
import type { CertificateNotice } from '../../../shared/contract/jobs.ts'
import { summaryOf } from '../../../shared/tls/certificate-summary.ts'
import type { AcceptedCertificate } from '../../../shared/transport/observed-list.ts'
import { certificateNotice, clientCertificate, receivedAt } from '../../support/fixtures.ts'

const accepted: AcceptedCertificate = {
  ...summaryOf(clientCertificate()),
  lastSeen: '2026-01-14T09:00:00.000Z',
}
const text = (fields: Partial<CertificateNotice>, last: AcceptedCertificate | null = accepted): string =>
  announce(certificateNotice({ ...(fields as object) }), last).text

test('a notice reads as a mail, with its data below', () => {
  const announcement = announce(certificateNotice(), accepted)
  const [words, data = ''] = announcement.text.split(/^(?=\{$)/m)
  assert.equal(announcement.subject, 'mailflow: unknown certificate at connector "Contoso"')
  assert.deepEqual(announcement.attributes, { kind: 'UnknownCertificate', connector: 'Contoso' })
  assert.equal(
    words,
    `Connector "Contoso" got a certificate that it does not know.

Fault          presented names [mx1.contoso.example], expected [mail.contoso.example]
Vouched for    yes: a trusted authority issued it for a name of the connector's sender domains
Consequence    the mail is refused in session; the sender's own server notifies the sender
Presented      2026-01-15T12:00:00.000Z, from 192.0.2.1, sender of contoso.example

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

If it is the partner's, and you have confirmed its SHA-256 in another way than mail, add to the connector
(id-contoso) one of these entries:
  tlsSenderCertificateNames: mx1.contoso.example
  certificateFingerprints: ${'cd'.repeat(32)}

If it is not, or if you cannot tell, do not change the connector. More: docs/runbook.md, "A partner presents an unknown certificate".

`,
  )
  const { failures: _failures, ...said } = certificateNotice()
  assert.deepEqual(JSON.parse(data), { ...said, accepted })
})

describe('a notice says', () => {
  const heldUntil = '2026-01-16T12:00:00.000Z'
  const rows: [string, string, RegExp][] = [
    [
      'until when mail is held',
      text({ consequence: 'Held', heldUntil }),
      /the mail is held until 2026-01-16T12:00/,
    ],
    [
      'how what is held goes on',
      text({ consequence: 'Held', heldUntil }),
      /Then deliver the held mail:\n {2}npx mailflow retry --connector id-contoso\n/,
    ],
    [
      'the only remedy without a choice',
      text({ remedies: [{ field: 'certificateFingerprints', add: 'cd'.repeat(32) }] }),
      /add to the connector\n\(id-contoso\) this entry:\n {2}certificateFingerprints: (cd){32}\n/,
    ],
    ['that mail is bounced', text({ consequence: 'Bounced' }), /the mail is bounced/],
    [
      'what would happen, were it enforced',
      text({ consequence: 'RecordedOnly' }),
      /none, since the connector is in ReportOnly mode; in Enforce mode it would refuse/,
    ],
    ['that our own server may not relay', text({ consequence: 'RelayDenied' }), /and not relayed/],
    ['that none was accepted before', text({}, null), /Last accepted certificate: none on record\./],
    [
      'that it is the very one accepted until now',
      text({}, { ...accepted, fingerprint256: 'cd'.repeat(32) }),
      /It is the certificate that was accepted before, last on 2026-01-14T09:00:00\.000Z\./,
    ],
    [
      'that nothing helps one out of its dates',
      text({ remedies: [] }),
      /The connector cannot accept this certificate\./,
    ],
    [
      'that a stranger can have one',
      text({ vouchedFor: false }),
      /Vouched for {4}no: anyone can create such a certificate/,
    ],
    ['that there was no sender', text({ senderDomain: null }), /from 192\.0\.2\.1, no sender\n/],
  ]
  for (const [name, said, expected] of rows) test(name, () => assert.match(said, expected))
})

test('a notice of mail that is not held speaks of no retry', () =>
  assert.doesNotMatch(text({ consequence: 'Bounced' }), /retry/))

test('the subject is what SNS takes, whatever the connector is called', () =>
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 }), (name) => {
      const notice = certificateNotice()
      const { subject } = announce({ ...notice, connector: { ...notice.connector, name } }, null)
      assert.match(subject, /^mailflow: unknown certificate at connector "[ -~]+"$/)
      assert.ok(subject.length <= 100)
    }),
  ))

test('the fixture is of its time', () => assert.equal(certificateNotice().at, receivedAt.toISOString()))
