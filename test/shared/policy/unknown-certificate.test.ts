import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import { CertificateNotice } from '../../../shared/contract/jobs.ts'
import { type ClientCertificate, noTls } from '../../../shared/contract/message.ts'
import { identifiesClient, toPresentedCertificate } from '../../../shared/policy/client-certificate.ts'
import { evaluateInbound, type Session } from '../../../shared/policy/inbound.ts'
import { trustDigest } from '../../../shared/policy/trust-digest.ts'
import {
  connectorsAcceptingCertificate,
  unknownCertificateNotices,
} from '../../../shared/policy/unknown-certificate.ts'
import {
  certificateFactsWith,
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

const otherCertificate = {
  subject: 'CN=mx1.contoso.example',
  subjectAltNames: ['mx1.contoso.example'],
  fingerprint256: 'cd'.repeat(32),
}
const expired = { notAfter: '2026-01-01T00:00:00.000Z' }
const ownServerCertificate = { subject: 'CN=mail.ours.example', subjectAltNames: ['mail.ours.example'] }
const fromOwnServer = 'a@ours.example'
const exchangeOnlineCertificate = {
  subject: 'CN=mail.protection.outlook.com',
  subjectAltNames: ['mail.protection.outlook.com'],
}
const tenant = ownServer({
  name: 'Tenant',
  tlsSenderCertificateNames: ['mail.protection.outlook.com'],
  exchangeOnline: { tenantIds: ['11111111-1111-1111-1111-111111111111'], originatorOrganizations: [] },
})
const otherTenant = {
  exchangeOnline: {
    tenantIds: ['99999999-9999-9999-9999-999999999999'],
    originatorOrganizations: [],
    alignedSignatures: [],
  },
  authentication: null,
}
const heldOutcome = { consequence: 'Held', heldUntil: '2026-01-16T12:00:00.000Z' } as const

function notices(connectors: InboundConnector[], given: Session) {
  const rules = snapshot({ inbound: connectors })
  return unknownCertificateNotices(rules, given, evaluateInbound(rules, given), heldOutcome)
}

describe('a notice of an unknown client certificate is sent', () => {
  const rows: [string, InboundConnector[], Session, [connector: string, consequence: string][]][] = [
    [
      'if a connector is restricted to another certificate',
      [contoso()],
      presenting(otherCertificate),
      [['Contoso', 'Held']],
    ],
    [
      'if it has the name of the connector and is expired',
      [contoso()],
      presenting(expired),
      [['Contoso', 'Held']],
    ],
    [
      'with the consequence RecordedOnly if the connector is report-only',
      [contoso({ mode: 'ReportOnly' })],
      presenting(otherCertificate),
      [['Contoso', 'RecordedOnly']],
    ],
    [
      'for each of an enforced and a report-only connector that do not know it',
      [contoso(), contoso({ name: 'Report only', mode: 'ReportOnly' })],
      presenting(otherCertificate),
      [
        ['Contoso', 'Held'],
        ['Report only', 'RecordedOnly'],
      ],
    ],
    [
      'if it has the name of an OnPremises connector and is expired',
      [ownServer()],
      presenting({ ...ownServerCertificate, ...expired }, fromOwnServer),
      [['Ours', 'RelayDenied']],
    ],
    [
      'if it has the name of an OnPremises connector and is not trusted',
      [ownServer()],
      presenting(
        { ...ownServerCertificate, trusted: false, trustError: 'SELF_SIGNED_CERT_IN_CHAIN' },
        fromOwnServer,
      ),
      [['Ours', 'RelayDenied']],
    ],
    ['not for a session without a certificate', [contoso()], session(overTls), []],
    [
      'not for the certificate that all tenants of Exchange Online share, whichever tenant sent the message',
      [tenant],
      { ...presenting(exchangeOnlineCertificate, fromOwnServer), content: otherTenant },
      [],
    ],
    [
      'if it has the name of Exchange Online and is expired',
      [tenant],
      presenting({ ...exchangeOnlineCertificate, ...expired }, fromOwnServer),
      [['Tenant', 'RelayDenied']],
    ],
    ['not for a session without TLS', [contoso()], session(noTls), []],
    ['not for a certificate that the connector knows', [contoso()], presenting(), []],
    ['not if no connector requires a certificate', [inbound()], presenting(otherCertificate), []],
    ['not if the connector is disabled', [contoso({ enabled: false })], presenting(otherCertificate), []],
    [
      'not for senders of other domains',
      [contoso()],
      presenting(otherCertificate, 'a@elsewhere.example'),
      [],
    ],
    [
      'not if the violation is that of an address restriction',
      [inbound({ restrictDomainsToIpAddresses: true, senderIpAddresses: ['198.51.100.1'] })],
      presenting(otherCertificate),
      [],
    ],
    [
      'not if it has another name than an OnPremises connector',
      [ownServer()],
      presenting(otherCertificate, fromOwnServer),
      [],
    ],
    [
      'not if the OnPremises connector identifies the client by its address',
      [ownServer({ senderIpAddresses: ['192.0.2.1'] })],
      presenting({ ...ownServerCertificate, ...expired }, fromOwnServer),
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

test('a notice of an unknown certificate has the connector, the certificate, the reason and the remedies', () => {
  const [notice] = notices([contoso({ onViolation: 'Defer' })], presenting(otherCertificate))
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
      keyType: null,
      publicKeyFingerprint256: null,
    },
    why: 'presented names [mx1.contoso.example], expected [mail.contoso.example]',
    facts: certificateFactsWith(),
    vouchedFor: true,
    ...heldOutcome,
    remedies: [
      { field: 'certificateFingerprints', add: 'cd'.repeat(32), admits: 'ThisCertificate' },
      { field: 'tlsSenderCertificateNames', add: 'mx1.contoso.example', admits: 'NameFromPublicRoot' },
    ],
    trustDigest: trustDigest(contoso()),
    senderDomain: 'contoso.example',
    ip: '192.0.2.1',
    failures: 0,
  })
})

test('a notice of an unknown certificate with many long names has less than 16 KiB and no direction marks', () => {
  const names = Array.from({ length: 100 }, (_, index) => `${index}.${'ä'.repeat(295)}`)
  const full = { subject: '\u202e'.repeat(1024), issuer: 'x'.repeat(1024), subjectAltNames: names }
  const [notice] = notices([contoso()], presenting({ ...full, trusted: false }))
  assert.ok(Buffer.byteLength(JSON.stringify(notice)) < 16_384)
  assert.doesNotMatch(JSON.stringify(notice), /\u202e/)
})

describe("an unknown certificate counts as trusted for the sender's domain", () => {
  const names = (...subjectAltNames: string[]) => ({ ...otherCertificate, subjectAltNames })
  const rows: [string, Partial<InboundConnector>, Partial<ClientCertificate>, boolean][] = [
    ['with a name below the sender domain', {}, otherCertificate, true],
    ['with the sender domain itself as name', {}, names('contoso.example'), true],
    [
      'with a wildcard below the sender domain',
      { tlsSenderCertificateNames: ['a.b.contoso.example'] },
      names('*.contoso.example'),
      true,
    ],
    [
      'for a connector that pins another certificate',
      { certificateFingerprints: ['ef'.repeat(32)], tlsSenderCertificateNames: [] },
      otherCertificate,
      true,
    ],
    [
      "with a name below the connector's wildcard sender domain",
      { senderDomains: ['*.contoso.example'] },
      names('a.b.contoso.example'),
      true,
    ],
    ['not with an unrelated name', {}, names('mail.unrelated.example'), false],
    ['not with a name that only ends with the same letters', {}, names('notcontoso.example'), false],
    ['not if its issuer is not trusted', {}, { ...otherCertificate, trusted: false }, false],
    ['not if it is expired', {}, { ...otherCertificate, ...expired }, false],
    ['not for a connector for `*`', { senderDomains: ['*'] }, otherCertificate, false],
    [
      'not if it is for servers and the connector requires one for clients',
      { requireClientAuthEku: true },
      { ...otherCertificate, clientAuth: false },
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

describe('to let the connector know the certificate, a notice names as remedy', () => {
  const fingerprint = 'cd'.repeat(32)
  const rows: [string, InboundConnector, Partial<ClientCertificate>, string[]][] = [
    [
      "the certificate's fingerprint, then its name, if only the name differs",
      contoso(),
      otherCertificate,
      [fingerprint, 'mx1.contoso.example'],
    ],
    [
      "its fingerprint, then the one of its names below the sender's domain, if it has several names",
      contoso(),
      { ...otherCertificate, subjectAltNames: ['cdn.elsewhere.example', 'mx1.contoso.example'] },
      [fingerprint, 'mx1.contoso.example'],
    ],
    [
      'a host name in preference to a wildcard',
      contoso({ tlsSenderCertificateNames: ['a.b.contoso.example'] }),
      { ...otherCertificate, subjectAltNames: ['*.contoso.example', 'mx1.contoso.example'] },
      [fingerprint, 'mx1.contoso.example'],
    ],
    [
      'no name outside the sender domains from a public authority',
      contoso(),
      { ...otherCertificate, subjectAltNames: ['mail.attacker.example'] },
      [fingerprint],
    ],
    [
      "no name in the sender's domain, if the connector is for every domain",
      contoso({ senderDomains: ['*'] }),
      otherCertificate,
      [fingerprint],
    ],
    [
      'only its fingerprint, if it is not trusted',
      contoso(),
      { ...otherCertificate, trusted: false },
      [fingerprint],
    ],
    [
      'only its fingerprint, if the connector has only fingerprints',
      contoso({ tlsSenderCertificateNames: [], certificateFingerprints: ['ef'.repeat(32)] }),
      otherCertificate,
      [fingerprint],
    ],
    [
      'only its fingerprint, if it has no host name',
      contoso(),
      { ...otherCertificate, subjectAltNames: ['?'] },
      [fingerprint],
    ],
    ['nothing, if it is expired', contoso(), { ...otherCertificate, ...expired }, []],
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

describe('the client certificate of a session is known', () => {
  const rows: [string, InboundConnector[], Session, string[]][] = [
    ['to the partner connector that is restricted to it', [contoso()], presenting(), ['Contoso']],
    ['to a report-only partner connector', [contoso({ mode: 'ReportOnly' })], presenting(), ['Contoso']],
    [
      "to the connector of the organisation's server",
      [ownServer()],
      presenting(ownServerCertificate, fromOwnServer),
      ['Ours'],
    ],
    [
      "to no connector if the organisation's server is identified by its address only",
      [ownServer({ senderIpAddresses: ['192.0.2.1'] })],
      presenting(otherCertificate, fromOwnServer),
      [],
    ],
    ['to no connector if the partner connector requires no certificate', [inbound()], presenting(), []],
    [
      'to no connector if it has another name than the connector',
      [contoso()],
      presenting(otherCertificate),
      [],
    ],
    [
      'to no connector if the mail is refused for its TLS version',
      [contoso({ minimumTlsVersion: 'TLSv1.3' })],
      session({ ...overTlsWith(), protocol: 'TLSv1.2' }),
      [],
    ],
    ['to no connector if the session has no certificate', [contoso()], session(overTls), []],
  ]
  for (const [name, connectors, given, expected] of rows)
    test(name, () =>
      assert.deepEqual(
        connectorsAcceptingCertificate(given, evaluateInbound(snapshot({ inbound: connectors }), given)).map(
          (one) => one.name,
        ),
        expected,
      ),
    )
})

test('a connector that knows the client certificate of a session causes no notice of an unknown certificate', () => {
  const connectors = [contoso(), contoso({ name: 'Report only', mode: 'ReportOnly' }), ownServer()]
  const rules = snapshot({ inbound: connectors })
  for (const fields of [{}, otherCertificate, expired, ownServerCertificate, { trusted: false }])
    for (const mailFrom of ['a@contoso.example', fromOwnServer, '']) {
      const given = presenting(fields, mailFrom)
      const evaluation = evaluateInbound(rules, given)
      const acceptingIds = connectorsAcceptingCertificate(given, evaluation).map(({ id }) => id)
      const notifiedIds = unknownCertificateNotices(rules, given, evaluation, heldOutcome).map(
        ({ connector }) => connector.id,
      )
      assert.deepEqual(
        acceptingIds.filter((id) => notifiedIds.includes(id)),
        [],
      )
      assert.ok(acceptingIds.length + notifiedIds.length <= 2)
    }
})

const exchangeName = 'mail.protection.outlook.com'
const notApplying: [title: string, name: string, fields: Partial<InboundConnector>][] = [
  [
    'that another tenant sends',
    exchangeName,
    { exchangeOnline: { tenantIds: [crypto.randomUUID()], originatorOrganizations: [] } },
  ],
  ['for a recipient outside its scope', 'mail.ours.example', { associatedAcceptedDomains: ['ours.example'] }],
]
for (const [title, name, fields] of notApplying)
  test(`a connector that accepts the certificate causes no notice about mail ${title}`, () => {
    const connector = ownServer({
      senderDomains: ['*'],
      tlsSenderCertificateNames: [name],
      ...fields,
    })
    const rules = snapshot({ inbound: [connector] })
    const given = presenting({ subjectAltNames: [name] })
    const evaluation = evaluateInbound(rules, given, null)
    assert.equal(evaluation.attributedTo, null)
    assert.deepEqual(unknownCertificateNotices(rules, given, evaluation, heldOutcome), [])
  })

const tenantOf = (tenantIds: string[]): Session['content'] => ({
  exchangeOnline: { tenantIds, originatorOrganizations: [], alignedSignatures: [] },
  authentication: null,
})
const [tenantId] = tenant.exchangeOnline?.tenantIds ?? []
const tenantRows: [tenantIds: string[], expected: string][] = [
  [[tenantId ?? ''], `connector "Tenant": identified by its tenant id ${tenantId}`],
  [['x'], 'connector "Tenant": not identified: X-MS-Exchange-CrossTenant-Id names another tenant (x)'],
]
for (const [tenantIds, expected] of tenantRows)
  test(`a notice about mail from Exchange Online says which fact identified its tenant: ${tenantIds}`, () => {
    const restricted = contoso({ senderDomains: ['ours.example'] })
    const given = { ...presenting(exchangeOnlineCertificate, fromOwnServer), content: tenantOf(tenantIds) }
    const [notice] = notices([restricted, tenant], given as Session)
    assert.equal(notice?.tenant, expected)
  })

test('the default certificate of the fixtures is known to the connector of these tests', () =>
  assert.ok(identifiesClient(contoso(), toPresentedCertificate(clientCertificate(), receivedAt))))
