import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatNotice } from '../../../functions/evaluate-policy/notice-text.ts'
import type { AcceptedCertificate } from '../../../shared/contract/certificate.ts'
import type { CertificateNotice } from '../../../shared/contract/jobs.ts'
import { summaryOf } from '../../../shared/tls/certificate-summary.ts'
import {
  certificateFactsWith,
  certificateNotice,
  clientCertificate,
  receivedAt,
} from '../../support/fixtures.ts'

const accepted: AcceptedCertificate = {
  ...summaryOf(clientCertificate()),
  keyType: 'EC',
  publicKeyFingerprint256: 'ef'.repeat(32),
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
    `Connector "Contoso" got a certificate that it does not know:
issued by a public root, under another name in the sender domains.

Fault        presented names [mx1.contoso.example], expected [mail.contoso.example]
Issuer       a public root: anyone can get a certificate under a public root for a domain of their own
Name         none that the connector lists; one is in its sender domains
Dates        valid
Revocation   not checked
Fingerprint  not pinned
Consequence  the mail is refused in session; the sender's server notifies the sender
Presented    2026-01-15T12:00:00.000Z, from 192.0.2.1, sender of contoso.example

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

First compare the SHA-256 with the partner, by another means than mail. If it is the partner's, make one of these edits, the safest first: each admits more certificates than the one before.

Admits only this certificate and its key, and not its renewal:
  npx mailflow connectors set Contoso --direction Inbound 'certificateFingerprints+=${'cd'.repeat(32)}'

Admits every certificate with this name under a public root, which the owner of the domain can get:
  npx mailflow connectors set Contoso --direction Inbound 'tlsSenderCertificateNames+=mx1.contoso.example'

If it is not, or if you cannot tell, do not change the connector. Do not lower a requirement of the connector in either case. More: docs/runbook.md, "A partner presents an unknown certificate".

`,
  )
  const { failures: _failures, ...fields } = certificateNotice()
  assert.deepEqual(JSON.parse(data), { ...fields, accepted })
})

type Remedy = CertificateNotice['remedies'][number]
const pin: Remedy = {
  field: 'certificateFingerprints',
  add: 'cd'.repeat(32),
  admits: 'ThisCertificate',
}
const nameOf = (add: string): Remedy => ({
  field: 'tlsSenderCertificateNames',
  add,
  admits: 'NameFromPublicRoot',
})
const ownAuthority = certificateFactsWith({
  issuedByConnectorAuthority: true,
  issuedByPublicRoot: false,
  nameInSenderDomains: false,
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
      'with one possible remedy says "this edit", not "one of these edits"',
      text({ remedies: [pin] }),
      /If it is the partner's, make this edit\.\n\nAdmits only this certificate/,
    ],
    [
      "says that a name from the connector's own authority admits every such certificate of the authority",
      text({ remedies: [pin, { ...nameOf('mx1.contoso.example'), admits: 'NameFromConnectorAuthority' }] }),
      /Admits every certificate with this name from the connector's own authorities:\n/,
    ],
    [
      'says that a wildcard admits every name that it matches, and quotes it for the shell',
      text({ remedies: [pin, nameOf('*.contoso.example')] }),
      /with a name that the wildcard matches under[^\n]+\n {2}npx [^\n]+ 'tlsSenderCertificateNames\+=\*\.contoso\.example'\n/,
    ],
    [
      'warns of mail providers if no name is in the sender domains',
      text({ facts: certificateFactsWith({ nameInSenderDomains: false }) }),
      /also admits mail of other customers of the provider/,
    ],
    [
      "says that the connector's authority issued the certificate under another name",
      text({ facts: ownAuthority }),
      /does not know:\nissued by the connector's authority, under another name outside the sender domains\.\n/,
    ],
    [
      "does not say that anyone can create a certificate of the connector's authority",
      text({ facts: ownAuthority }),
      /^Issuer {7}the connector's own authority\nName {9}none that the connector lists; none is in its sender domains$/m,
    ],
    [
      "names the fault of the connector's authority",
      text({
        facts: { ...ownAuthority, trustFault: 'the trust anchor expired on 2026-01-01T00:00:00.000Z' },
      }),
      /^Issuer {7}the connector's own authority, but not trusted: the trust anchor expired on 2026-01-01/m,
    ],
    [
      'says that the own authority is also a public root',
      text({ facts: { ...ownAuthority, issuedByPublicRoot: true } }),
      /^Issuer {7}the connector's own authority, and also a public root: anyone can get/m,
    ],
    [
      "says that a public root issued the certificate and not the connector's authority",
      text({ facts: certificateFactsWith({ issuedByConnectorAuthority: false }) }),
      /^Issuer {7}a public root, and not the connector's own authority: anyone can get/m,
    ],
    [
      'says that a connector with only fingerprints lists no names',
      text({ facts: certificateFactsWith({ nameListed: null }) }),
      /^Name {9}the connector lists no names; one is in its sender domains$/m,
    ],
    [
      'names the expiry, the purpose and the revocation apart',
      text({
        facts: certificateFactsWith({ validity: 'Expired', clientAuth: false, revocation: 'Revoked' }),
      }),
      /^Dates {8}expired on 2026-12-01T00:00:00\.000Z\nRevocation {3}revoked\nPurpose {6}not for client authentication$/m,
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
      'says that anyone can create a certificate that no authority issued',
      text({
        facts: certificateFactsWith({
          issuedByPublicRoot: false,
          trustFault: 'DEPTH_ZERO_SELF_SIGNED_CERT',
        }),
      }),
      /^Issuer {7}no public root \(DEPTH_ZERO_SELF_SIGNED_CERT\): anyone can create such a certificate$/m,
    ],
    ['says that the session had no sender', text({ senderDomain: null }), /from 192\.0\.2\.1, no sender\n/],
  ]
  for (const [name, notice, expected] of rows) test(name, () => assert.match(notice, expected))
})

describe('the edit that a notice prints sets, in a POSIX shell, the connector', () => {
  const rows: [name: string, connector: string, argument: string][] = [
    ['with a plain name', 'Contoso', 'Contoso'],
    ['with a space', 'Contoso Ltd', 'Contoso Ltd'],
    ['with single quotes', "O'Reilly's", "O'Reilly's"],
    ['with a substitution', '$(touch x) `id` $HOME', '$(touch x) `id` $HOME'],
    ['with operators', 'a; b | c && d > e', 'a; b | c && d > e'],
    ['with backslashes and double quotes', '\\"a\\\\', '\\"a\\\\'],
    ['with an exclamation mark and other letters', 'Süd!', 'Süd!'],
    ['with a leading hyphen by its id, which cannot be an option', '-x', 'id-contoso'],
    ['with a question mark by its id, because it may stand for an invisible character', 'a?b', 'id-contoso'],
  ]
  for (const [name, connector, argument] of rows)
    test(name, () => {
      const notice = certificateNotice()
      const { text } = formatNotice(
        { ...notice, connector: { ...notice.connector, name: connector }, remedies: [pin] },
        null,
      )
      const [, command] = text.match(/^ {2}npx (mailflow connectors set .*)$/m) ?? []
      const printed = execFileSync('/bin/sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' })
      assert.deepEqual(printed.trimEnd().split('\n'), [
        'mailflow',
        'connectors',
        'set',
        argument,
        '--direction',
        'Inbound',
        `certificateFingerprints+=${'cd'.repeat(32)}`,
      ])
    })
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

test('a notice names the fact that identified the tenant of Exchange Online, if there is one', () => {
  assert.match(
    text({ tenant: 'connector "Ours": identified by x' }),
    /\nTenant {7}connector "Ours": identified by x\n/,
  )
  assert.doesNotMatch(text({}), /\nTenant /)
})
