import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import { CertificateNotice } from '../../../shared/contract/jobs.ts'
import { type ClientCertificate, plaintext } from '../../../shared/contract/message.ts'
import { identifies, present } from '../../../shared/policy/client-certificate.ts'
import { judgeInbound, type Session } from '../../../shared/policy/inbound.ts'
import { knownTo, unknownTo } from '../../../shared/policy/unknown-certificate.ts'
import {
  clientCertificate,
  inbound,
  overTls,
  overTlsWith,
  receivedAt,
  snapshot,
} from '../../support/fixtures.ts'

const contoso = (fields: Partial<InboundConnector> = {}) =>
  inbound({
    restrictDomainsToCertificate: true,
    tlsSenderCertificateNames: ['mail.contoso.example'],
    ...fields,
  })
const ownServer = (fields: Partial<InboundConnector> = {}) =>
  inbound({
    name: 'Ours',
    connectorType: 'OnPremises',
    senderDomains: ['ours.example'],
    tlsSenderCertificateNames: ['mail.ours.example'],
    ...fields,
  })

const session = (tls: Session['tls'], mailFrom = 'a@contoso.example'): Session => ({
  ip: '192.0.2.1',
  tls,
  mailFrom,
  at: receivedAt,
})
const presenting = (fields: Partial<ClientCertificate> = {}, mailFrom?: string) =>
  session(overTlsWith(fields), mailFrom)

const other = {
  subject: 'CN=mx1.contoso.example',
  subjectAltNames: ['mx1.contoso.example'],
  fingerprint256: 'cd'.repeat(32),
}
const expired = { notAfter: '2026-01-01T00:00:00.000Z' }
const ours = { subject: 'CN=mail.ours.example', subjectAltNames: ['mail.ours.example'] }
const fromOurs = 'a@ours.example'
const held = { consequence: 'Held', heldUntil: '2026-01-16T12:00:00.000Z' } as const

function notices(connectors: InboundConnector[], given: Session) {
  const rules = snapshot({ inbound: connectors })
  return unknownTo(rules, given, judgeInbound(rules, given), held)
}

describe('an unknown certificate is told of', () => {
  const rows: [string, InboundConnector[], Session, [connector: string, consequence: string][]][] = [
    ['when a connector restricts to another', [contoso()], presenting(other), [['Contoso', 'Held']]],
    ['when it is the known one, expired', [contoso()], presenting(expired), [['Contoso', 'Held']]],
    [
      'as recorded only, of a connector in trial',
      [contoso({ mode: 'ReportOnly' })],
      presenting(other),
      [['Contoso', 'RecordedOnly']],
    ],
    [
      'to both, when the one in force and the one in trial do not know it',
      [contoso(), contoso({ name: 'Trial', mode: 'ReportOnly' })],
      presenting(other),
      [
        ['Contoso', 'Held'],
        ['Trial', 'RecordedOnly'],
      ],
    ],
    [
      "when our own server's bears the right name and is expired",
      [ownServer()],
      presenting({ ...ours, ...expired }, fromOurs),
      [['Ours', 'RelayDenied']],
    ],
    [
      "when our own server's bears the right name and is not trusted",
      [ownServer()],
      presenting({ ...ours, trusted: false, trustError: 'SELF_SIGNED_CERT_IN_CHAIN' }, fromOurs),
      [['Ours', 'RelayDenied']],
    ],
    ['never of a session without one', [contoso()], session(overTls), []],
    ['never of a session without TLS', [contoso()], session(plaintext), []],
    ['never of one that is known', [contoso()], presenting(), []],
    ['never where no connector asks', [inbound()], presenting(other), []],
    ['never where the connector is disabled', [contoso({ enabled: false })], presenting(other), []],
    ['never of the senders of others', [contoso()], presenting(other, 'a@elsewhere.example'), []],
    [
      'never where what is violated is the address',
      [inbound({ restrictDomainsToIpAddresses: true, senderIpAddresses: ['198.51.100.1'] })],
      presenting(other),
      [],
    ],
    ["never of a stranger's beside our own server", [ownServer()], presenting(other, fromOurs), []],
    [
      'never where our own server is known by its address',
      [ownServer({ senderIpAddresses: ['192.0.2.1'] })],
      presenting({ ...ours, ...expired }, fromOurs),
      [],
    ],
  ]
  for (const [name, connectors, given, expected] of rows)
    test(name, () =>
      assert.deepEqual(
        notices(connectors, given).map(({ connector, consequence }) => [connector.name, consequence]),
        expected,
      ),
    )
})

test('a notice is a job, and says who, what and why', () => {
  const [notice] = notices([contoso({ onViolation: 'Defer' })], presenting(other))
  assert.deepEqual(CertificateNotice.parse(notice), {
    kind: 'UnknownCertificate',
    at: receivedAt.toISOString(),
    connector: {
      id: 'id-contoso',
      name: 'Contoso',
      connectorType: 'Partner',
      mode: 'Enforce',
      onViolation: 'Defer',
    },
    presented: {
      subject: 'CN=mx1.contoso.example',
      issuer: 'CN=Some Public CA',
      subjectAltNames: ['mx1.contoso.example'],
      serial: '01',
      fingerprint256: 'cd'.repeat(32),
      notBefore: '2025-12-01T00:00:00.000Z',
      notAfter: '2026-12-01T00:00:00.000Z',
    },
    why: 'presented names [mx1.contoso.example], expected [mail.contoso.example]',
    vouchedFor: true,
    ...held,
    remedies: [
      { field: 'tlsSenderCertificateNames', add: 'mx1.contoso.example' },
      { field: 'certificateFingerprints', add: 'cd'.repeat(32) },
    ],
    senderDomain: 'contoso.example',
    ip: '192.0.2.1',
    failures: 0,
  })
})

test('a notice of a certificate full of names and letters stays small enough for a queue and a mail', () => {
  const names = Array.from({ length: 100 }, (_, index) => `${index}.${'ä'.repeat(295)}`)
  const full = { subject: '\u202e'.repeat(1024), issuer: 'x'.repeat(1024), subjectAltNames: names }
  const [notice] = notices([contoso()], presenting({ ...full, trusted: false }))
  assert.ok(Buffer.byteLength(JSON.stringify(notice)) < 16_384)
  assert.doesNotMatch(JSON.stringify(notice), /\u202e/)
})

describe('an authority vouches for it', () => {
  const names = (...subjectAltNames: string[]) => ({ ...other, subjectAltNames })
  const rows: [string, Partial<InboundConnector>, Partial<ClientCertificate>, boolean][] = [
    ['when it is for a name below the sender domain', {}, other, true],
    ['when it is for the sender domain itself', {}, names('contoso.example'), true],
    [
      'when it is for all names below',
      { tlsSenderCertificateNames: ['a.b.contoso.example'] },
      names('*.contoso.example'),
      true,
    ],
    [
      'also for a connector that pins',
      { certificateFingerprints: ['ef'.repeat(32)], tlsSenderCertificateNames: [] },
      other,
      true,
    ],
    [
      'below a domain with its subdomains',
      { senderDomains: ['*.contoso.example'] },
      names('a.b.contoso.example'),
      true,
    ],
    ["not for a stranger's name", {}, names('mail.stranger.example'), false],
    ['not for a name that only ends alike', {}, names('notcontoso.example'), false],
    ['not when nobody trusted issued it', {}, { ...other, trusted: false }, false],
    ['not when it is expired', {}, { ...other, ...expired }, false],
    ['not when the connector is for everyone', { senderDomains: ['*'] }, other, false],
    [
      'not when it is for servers and the connector asks for clients',
      { requireClientAuthEku: true },
      { ...other, clientAuth: false },
      false,
    ],
  ]
  for (const [name, fields, certificate, vouchedFor] of rows)
    test(name, () => {
      const mailFrom = fields.senderDomains ? 'a@sub.contoso.example' : 'a@contoso.example'
      const [notice] = notices([contoso(fields)], presenting(certificate, mailFrom))
      assert.equal(notice?.vouchedFor, vouchedFor)
    })
})

describe('what would make the connector know it', () => {
  const fingerprint = 'cd'.repeat(32)
  const rows: [string, InboundConnector, Partial<ClientCertificate>, string[]][] = [
    ['its name, where only the name is another', contoso(), other, ['mx1.contoso.example', fingerprint]],
    [
      'the name of the sender, where it has several',
      contoso(),
      { ...other, subjectAltNames: ['cdn.elsewhere.example', 'mx1.contoso.example'] },
      ['mx1.contoso.example', fingerprint],
    ],
    [
      'its fingerprint alone, where it is not trusted',
      contoso(),
      { ...other, trusted: false },
      [fingerprint],
    ],
    [
      'its fingerprint alone, where the connector pins',
      contoso({ tlsSenderCertificateNames: [], certificateFingerprints: ['ef'.repeat(32)] }),
      other,
      [fingerprint],
    ],
    [
      'its fingerprint alone, where it names nobody',
      contoso(),
      { ...other, subjectAltNames: ['?'] },
      [fingerprint],
    ],
    ['nothing, once it is expired', contoso(), { ...other, ...expired }, []],
  ]
  for (const [name, connector, fields, expected] of rows)
    test(`${name}`, () => {
      const given = presenting(fields)
      const [notice] = notices([connector], given)
      assert.deepEqual(
        notice?.remedies.map(({ add }) => add),
        expected,
      )
      const presented = present(given.tls.clientCertificate, given.at)
      for (const { field, add } of notice?.remedies ?? [])
        assert.ok(identifies({ ...connector, [field]: [...connector[field], add] }, presented), field)
    })
})

describe('a certificate is known', () => {
  const rows: [string, InboundConnector[], Session, string[]][] = [
    ['to the partner that restricts to it', [contoso()], presenting(), ['Contoso']],
    ['to the partner in trial, too', [contoso({ mode: 'ReportOnly' })], presenting(), ['Contoso']],
    ['to our own server', [ownServer()], presenting(ours, fromOurs), ['Ours']],
    [
      'to nobody when our own server is known by its address alone',
      [ownServer({ senderIpAddresses: ['192.0.2.1'] })],
      presenting(other, fromOurs),
      [],
    ],
    ['to nobody when the partner does not ask', [inbound()], presenting(), []],
    ['to nobody when it is another', [contoso()], presenting(other), []],
    [
      'to nobody when the mail is refused for its TLS',
      [contoso({ minimumTlsVersion: 'TLSv1.3' })],
      session({ ...overTlsWith(), protocol: 'TLSv1.2' }),
      [],
    ],
    ['to nobody when there is none', [contoso()], session(overTls), []],
  ]
  for (const [name, connectors, given, expected] of rows)
    test(name, () =>
      assert.deepEqual(
        knownTo(given, judgeInbound(snapshot({ inbound: connectors }), given)).map((one) => one.name),
        expected,
      ),
    )
})

test('no certificate is both known and unknown to one connector', () => {
  const connectors = [contoso(), contoso({ name: 'Trial', mode: 'ReportOnly' }), ownServer()]
  const rules = snapshot({ inbound: connectors })
  for (const fields of [{}, other, expired, ours, { trusted: false }])
    for (const mailFrom of ['a@contoso.example', fromOurs, '']) {
      const given = presenting(fields, mailFrom)
      const judgement = judgeInbound(rules, given)
      const known = knownTo(given, judgement).map(({ id }) => id)
      const unknown = unknownTo(rules, given, judgement, held).map(({ connector }) => connector.id)
      assert.deepEqual(
        known.filter((id) => unknown.includes(id)),
        [],
      )
      assert.ok(known.length + unknown.length <= 2)
    }
})

test('the fixture is a certificate that its connector knows', () =>
  assert.ok(identifies(contoso(), present(clientCertificate(), receivedAt))))
