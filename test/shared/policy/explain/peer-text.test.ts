import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate } from '../../../../shared/policy/evaluate.ts'
import { createExplainer } from '../../../../shared/policy/explain/explain.ts'
import { inbound, message, overTlsWith, receivedAt, recipient, snapshot } from '../../../support/fixtures.ts'

/** Characters in a certificate that could move or hide the surrounding text. */
const unsafeCharacters = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u

const subjects: [name: string, subject: string][] = [
  ['a change of direction', 'CN=\u202emoc.osotnoc'],
  ['a line separator', 'CN=a\u2028It was delivered.'],
  ['a terminal escape sequence', 'CN=a\u009b2J'],
  ['half a surrogate pair, where a long name is cut,', `CN=${'a'.repeat(196)}\u{1f600}`],
]

for (const [name, subject] of subjects)
  test(`explanations do not contain ${name} from the subject or issuer of a certificate`, () => {
    const contoso = inbound({
      senderDomains: ['contoso.example'],
      tlsSenderCertificateNames: ['mail.contoso.example'],
      restrictDomainsToCertificate: true,
    })
    const met = inbound({
      id: '01JG0000000000000000000009',
      name: 'Met',
      senderDomains: ['fabrikam.example'],
    })
    const connectors = snapshot({
      inbound: [
        contoso,
        { ...met, restrictDomainsToCertificate: true, certificateFingerprints: ['a'.repeat(64)] },
      ],
    })
    for (const mailFrom of ['a@contoso.example', 'a@fabrikam.example']) {
      const tls = overTlsWith({ subject, issuer: subject, trusted: false, fingerprint256: 'a'.repeat(64) })
      const mail = message({ mailFrom, tls })
      const [verdict] = evaluate({
        snapshot: connectors,
        settings: { defaultRoute: 'Mx' },
        message: mail,
        recipients: [recipient()],
        now: receivedAt,
      })
      const explanations = [
        verdict?.explanation ?? '',
        ...(verdict ? createExplainer(connectors, mail)(verdict) : []).map(({ why }) => why),
      ]
      assert.match(explanations.join(' '), /CN=/)
      for (const text of explanations) {
        assert.doesNotMatch(text, unsafeCharacters)
        assert.ok(text.isWellFormed())
      }
    }
  })
