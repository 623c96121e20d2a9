import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CertificateSummary } from '../../../shared/contract/certificate.ts'
import { summaryOf, visible } from '../../../shared/tls/certificate-summary.ts'
import { clientCertificate } from '../../support/fixtures.ts'

const rows: [name: string, text: string, shown: string][] = [
  ['what is plain', 'CN=mail.contoso.example, O=Contoso', 'CN=mail.contoso.example, O=Contoso'],
  ['what is written in other letters', 'O=Müller & Söhne, 株式会社', 'O=Müller & Söhne, 株式会社'],
  ['no line break', 'CN=a\r\n\nSubject: forged', 'CN=a???Subject: forged'],
  ['no line or paragraph separator', 'a\u2028b\u2029c', 'a?b?c'],
  ['no change of direction', 'CN=\u202egro.evil\u202c', 'CN=?gro.evil?'],
  ['nothing of no width', 'con\u200btoso', 'con?toso'],
  ['no half of a character', 'a\ud800b', 'a?b'],
  ['no escape of a terminal', '\u001b[2Jgone', '?[2Jgone'],
]
for (const [name, text, shown] of rows)
  test(`a certificate's words show ${name}`, () => assert.equal(visible(text), shown))

test('a summary of any certificate is bounded and visible', () =>
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), fc.nat(150), (text, count) => {
      const words = { subject: text, issuer: text, serial: text, subjectAltNames: Array(count).fill(text) }
      const summary = CertificateSummary.parse(summaryOf(clientCertificate(words)))
      assert.ok(summary.subjectAltNames.length <= 20)
      for (const said of [summary.subject, summary.issuer, summary.serial, ...summary.subjectAltNames]) {
        assert.ok(said.length <= 255)
        assert.doesNotMatch(said, /[\p{C}\p{Zl}\p{Zp}]/u)
      }
    }),
  ))
