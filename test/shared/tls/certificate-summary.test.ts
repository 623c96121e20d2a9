import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CertificateSummary } from '../../../shared/contract/certificate.ts'
import { summaryOf } from '../../../shared/tls/certificate-summary.ts'
import { clientCertificate } from '../../support/fixtures.ts'

test('the summary of any certificate has at most 20 names, and texts of at most 255 visible characters', () =>
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
