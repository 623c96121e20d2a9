import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import { CertificateNotice } from '../../../shared/contract/jobs.ts'
import { type ClientCertificate, noTls } from '../../../shared/contract/message.ts'
import { identifiesClient, toPresentedCertificate } from '../../../shared/policy/client-certificate.ts'
import { evaluateInbound, type Session } from '../../../shared/policy/inbound.ts'
import { connectorsKnowing, unknownCertificateNotices } from '../../../shared/policy/unknown-certificate.ts'
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
const own = { subject: 'CN=mail.ours.example', subjectAltNames: ['mail.ours.example'] }
const fromOwnServer = 'a@ours.example'
const heldOutcome = { consequence: 'Held', heldUntil: '2026-01-16T12:00:00.000Z' } as const

function notices(connectors: InboundConnector[], given: Session) {
  const rules = snapshot({ inbound: connectors })
  return unknownCertificateNotices(rules, given, evaluateInbound(rules, given), heldOutcome)
}

describe('a notice of an unknown certificate is sent', () => {
  const rows: [string, InboundConnector[], Session, [connector: string, consequence: string][]][] = [
    [
      'if a connector is restricted to another certificate',
      [contoso()],
      presenting(other),
      [['Contoso', 'Held']],
    ],
    ['if it is the known certificate, but expired', [contoso()], presenting(expired), [['Contoso', 'Held']]],
    [
      'as recorded only, for a report-only connector',
      [contoso({ mode: 'ReportOnly' })],
      presenting(other),
      [['Contoso', 'RecordedOnly']],
    ],
    [
      'for both, if an enforced and a report-only connector do not know it',
      [contoso(), contoso({ name: 'Trial', mode: 'ReportOnly' })],
      presenting(other),
      [
        ['Contoso', 'Held'],
        ['Trial', 'RecordedOnly'],
      ],
    ],
    [
      "if the organisation's server's has the right name and is expired",
      [ownServer()],
      presenting({ ...own, ...expired }, fromOwnServer),
      [['Ours', 'RelayDenied']],
    ],
    [
      "if the organisation's server's has the right name and is not trusted",
      [ownServer()],
      presenting({ ...own, trusted: false, trustError: 'SELF_SIGNED_CERT_IN_CHAIN' }, fromOwnServer),
      [['Ours', 'RelayDenied']],
    ],
    ['not for a session without a certificate', [contoso()], session(overTls), []],
    ['not for a session without TLS', [contoso()], session(noTls), []],
    ['not for a known certificate', [contoso()], presenting(), []],
    ['not if no connector requires a certificate', [inbound()], presenting(other), []],
    ['not if the connector is disabled', [contoso({ enabled: false })], presenting(other), []],
    ['not for senders of other domains', [contoso()], presenting(other, 'a@elsewhere.example'), []],
    [
      'not if the address is the violation',
      [inbound({ restrictDomainsToIpAddresses: true, senderIpAddresses: ['198.51.100.1'] })],
      presenting(other),
      [],
    ],
    [
      "not for an unrelated name beside the organisation's server's connector",
      [ownServer()],
      presenting(other, fromOwnServer),
      [],
    ],
    [
      "not if the organisation's server is identified by its address",
      [ownServer({ senderIpAddresses: ['192.0.2.1'] })],
      presenting({ ...own, ...expired }, fromOwnServer),
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

test('a notice is a job with the connector, the certificate and the reason', () => {
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
    ...heldOutcome,
    remedies: [
      { field: 'tlsSenderCertificateNames', add: 'mx1.contoso.example' },
      { field: 'certificateFingerprints', add: 'cd'.repeat(32) },
    ],
    senderDomain: 'contoso.example',
    ip: '192.0.2.1',
    failures: 0,
  })
})

test('a notice of a certificate with many long names stays small enough for a queue and a mail', () => {
  const names = Array.from({ length: 100 }, (_, index) => `${index}.${'ä'.repeat(295)}`)
  const full = { subject: '\u202e'.repeat(1024), issuer: 'x'.repeat(1024), subjectAltNames: names }
  const [notice] = notices([contoso()], presenting({ ...full, trusted: false }))
  assert.ok(Buffer.byteLength(JSON.stringify(notice)) < 16_384)
  assert.doesNotMatch(JSON.stringify(notice), /\u202e/)
})

describe('an authority vouches for the certificate', () => {
  const names = (...subjectAltNames: string[]) => ({ ...other, subjectAltNames })
  const rows: [string, Partial<InboundConnector>, Partial<ClientCertificate>, boolean][] = [
    ['with a name below the sender domain', {}, other, true],
    ['with the sender domain itself as name', {}, names('contoso.example'), true],
    [
      'with a wildcard below the sender domain',
      { tlsSenderCertificateNames: ['a.b.contoso.example'] },
      names('*.contoso.example'),
      true,
    ],
    [
      'for a connector that pins another',
      { certificateFingerprints: ['ef'.repeat(32)], tlsSenderCertificateNames: [] },
      other,
      true,
    ],
    [
      'below a wildcard sender domain',
      { senderDomains: ['*.contoso.example'] },
      names('a.b.contoso.example'),
      true,
    ],
    ['not with an unrelated name', {}, names('mail.stranger.example'), false],
    ['not with a name that only ends alike', {}, names('notcontoso.example'), false],
    ['not if its issuer is not trusted', {}, { ...other, trusted: false }, false],
    ['not if it is expired', {}, { ...other, ...expired }, false],
    ['not for a connector for `*`', { senderDomains: ['*'] }, other, false],
    [
      'not if it is for servers and the connector requires one for clients',
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

describe('the connector would know the certificate after adding', () => {
  const fingerprint = 'cd'.repeat(32)
  const rows: [string, InboundConnector, Partial<ClientCertificate>, string[]][] = [
    [
      'its name or fingerprint, if only the name differs',
      contoso(),
      other,
      ['mx1.contoso.example', fingerprint],
    ],
    [
      "the sender's name or the fingerprint, if it has several names",
      contoso(),
      { ...other, subjectAltNames: ['cdn.elsewhere.example', 'mx1.contoso.example'] },
      ['mx1.contoso.example', fingerprint],
    ],
    ['only its fingerprint, if it is not trusted', contoso(), { ...other, trusted: false }, [fingerprint]],
    [
      'only its fingerprint, if the connector pins',
      contoso({ tlsSenderCertificateNames: [], certificateFingerprints: ['ef'.repeat(32)] }),
      other,
      [fingerprint],
    ],
    [
      'only its fingerprint, if it has no host name',
      contoso(),
      { ...other, subjectAltNames: ['?'] },
      [fingerprint],
    ],
    ['nothing, if it is expired', contoso(), { ...other, ...expired }, []],
  ]
  for (const [name, connector, fields, expected] of rows)
    test(`${name}`, () => {
      const given = presenting(fields)
      const [notice] = notices([connector], given)
      assert.deepEqual(
        notice?.remedies.map(({ add }) => add),
        expected,
      )
      const presented = toPresentedCertificate(given.tls.clientCertificate, given.at)
      for (const { field, add } of notice?.remedies ?? [])
        assert.ok(identifiesClient({ ...connector, [field]: [...connector[field], add] }, presented), field)
    })
})

describe('a certificate is known', () => {
  const rows: [string, InboundConnector[], Session, string[]][] = [
    ['to the partner connector that is restricted to it', [contoso()], presenting(), ['Contoso']],
    ['to a report-only partner connector', [contoso({ mode: 'ReportOnly' })], presenting(), ['Contoso']],
    ["to the organisation's server's connector", [ownServer()], presenting(own, fromOwnServer), ['Ours']],
    [
      "to no connector if the organisation's server is identified by its address alone",
      [ownServer({ senderIpAddresses: ['192.0.2.1'] })],
      presenting(other, fromOwnServer),
      [],
    ],
    ['to no connector if the partner requires none', [inbound()], presenting(), []],
    ['to no connector if it is another', [contoso()], presenting(other), []],
    [
      'to no connector if the mail is refused for its TLS version',
      [contoso({ minimumTlsVersion: 'TLSv1.3' })],
      session({ ...overTlsWith(), protocol: 'TLSv1.2' }),
      [],
    ],
    ['to no connector if there is none', [contoso()], session(overTls), []],
  ]
  for (const [name, connectors, given, expected] of rows)
    test(name, () =>
      assert.deepEqual(
        connectorsKnowing(given, evaluateInbound(snapshot({ inbound: connectors }), given)).map(
          (one) => one.name,
        ),
        expected,
      ),
    )
})

test('no certificate is both known and unknown to one connector', () => {
  const connectors = [contoso(), contoso({ name: 'Trial', mode: 'ReportOnly' }), ownServer()]
  const rules = snapshot({ inbound: connectors })
  for (const fields of [{}, other, expired, own, { trusted: false }])
    for (const mailFrom of ['a@contoso.example', fromOwnServer, '']) {
      const given = presenting(fields, mailFrom)
      const evaluation = evaluateInbound(rules, given)
      const known = connectorsKnowing(given, evaluation).map(({ id }) => id)
      const unknown = unknownCertificateNotices(rules, given, evaluation, heldOutcome).map(
        ({ connector }) => connector.id,
      )
      assert.deepEqual(
        known.filter((id) => unknown.includes(id)),
        [],
      )
      assert.ok(known.length + unknown.length <= 2)
    }
})

test('the fixture is a certificate that its connector knows', () =>
  assert.ok(identifiesClient(contoso(), toPresentedCertificate(clientCertificate(), receivedAt))))
