import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type ApiResult, createTestApi } from '../../support/api-client.ts'
import { inboundInput, outboundInput } from '../../support/connectors.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { createPki, daysFromNow, selfSigned, withoutDates } from '../../support/pki.ts'

const pki = await createPki('Public CA')
let db: TestDynamoDb
let api: ReturnType<typeof createTestApi>

before(async () => {
  db = await startDynamoDb()
  api = createTestApi(db.documents, Date.now, [pki.ca])
  for (const json of [
    inboundInput({ name: 'Everyone', senderDomains: ['*'], requireTls: false }),
    inboundInput({ name: 'Report only', mode: 'ReportOnly', minimumTlsVersion: 'TLSv1.3' }),
    inboundInput({ name: 'Old', enabled: false }),
    inboundInput({
      tlsSenderCertificateNames: ['mail.contoso.example'],
      restrictDomainsToCertificate: true,
    }),
    inboundInput({
      name: 'Office',
      connectorType: 'OnPremises',
      senderDomains: ['ours.example'],
      senderIpAddresses: ['192.0.2.0/24'],
    }),
  ])
    await api.call('POST /inbound-connectors', { json })
  for (const json of [
    outboundInput({ tlsSettings: 'DomainValidation', tlsDomain: '*.northwind.example' }),
    outboundInput({ name: 'Weak', recipientDomains: ['*.northwind.example'] }),
    outboundInput({
      name: 'Mailboxes',
      connectorType: 'OnPremises',
      recipientDomains: [],
      allAcceptedDomains: true,
      route: 'SmartHosts',
      smartHosts: [{ host: 'mailbox.ours.example', port: 25 }],
    }),
  ])
    await api.call('POST /outbound-connectors', { json })
  await api.call('PUT /accepted-domains/ours.example', { json: {} })
})

after(() => db.stop())

const call = (json: object): Promise<ApiResult> => api.call('POST /explain', { json })

const fromContoso = { mailFrom: 'a@contoso.example', rcptTo: ['b@ours.example'], ip: '203.0.113.9' }
const outcomes = (considered: { name: string; outcome: string }[]) =>
  considered.map(({ name, outcome }) => `${name}: ${outcome}`)

describe('POST /explain of a cleartext message from a partner that must use TLS', () => {
  test('shows the reply 530 in session, and the verdict Bounce with 5.7.10 for accepted mail', async () => {
    const { status, body } = await call(fromContoso)
    assert.equal(status, 200)
    const [recipient] = body.recipients
    assert.equal(recipient.inSession, '530 5.7.0 Must issue a STARTTLS command first')
    assert.deepEqual(
      [recipient.verdict.action, recipient.verdict.reason, recipient.verdict.reply],
      ['Bounce', 'InboundTlsRequired', '550 5.7.10 Encryption needed'],
    )
    assert.equal(recipient.route, null)
  })

  test('lists every considered connector in order of precedence, each with its outcome and reason', async () => {
    const { body } = await call(fromContoso)
    assert.deepEqual(
      body.considered.map(({ name, pattern, outcome, why }: Record<string, string>) => [
        name,
        pattern,
        outcome,
        why,
      ]),
      [
        [
          'Contoso',
          'contoso.example',
          'Decides',
          'Connector "Contoso" requires TLS, and this session has no TLS.',
        ],
        ['Everyone', '*', 'Outranked', '"Contoso" is for contoso.example, which is more specific than *.'],
        [
          'Report only',
          'contoso.example',
          'Reports',
          'Connector "Report only" requires TLS, and this session has no TLS.',
        ],
        ['Old', 'contoso.example', 'Disabled', 'It is disabled.'],
      ],
    )
  })
})

describe('POST /explain of mail from a domain', () => {
  const warning =
    'Connector "Contoso" evaluates only MAIL FROM. Only requireDmarc covers a From: address of contoso.example with another MAIL FROM.'
  const cases: [name: string, mailFrom: string, warnings: string[]][] = [
    ['of a Partner connector warns of a From: address of that domain', 'a@contoso.example', [warning]],
    ['that only a Partner connector for * matches has no warning', 'a@other.example', []],
    ['of an OnPremises connector has no warning', 'a@ours.example', []],
    ['of a DSN has no warning', '<>', []],
  ]
  for (const [name, mailFrom, warnings] of cases)
    test(name, async () => {
      const { body } = await call({ ...fromContoso, mailFrom })
      assert.deepEqual(body.warnings, warnings)
    })
})

describe('POST /explain with a client certificate', () => {
  const withCertificate = async (pem: string) =>
    (await call({ ...fromContoso, tls: { negotiated: true, clientCertificate: pem } })).body

  test('predicts 250 for a certificate with the required name and a chain to a public root', async () => {
    const { cert } = await pki.issue({ names: ['mail.contoso.example'], purposes: ['serverAuth'] })
    const body = await withCertificate(cert)
    assert.equal(body.recipients[0].inSession, '250 2.1.5 Accepted')
    assert.equal(body.clientCertificate.trusted, true)
    assert.equal(body.clientCertificate.clientAuth, false)
    assert.equal('chain' in body.clientCertificate, false)
    assert.match(
      body.considered[0].why,
      /^The session meets the requirements: TLS \(TLSv1\.3\), the certificate \(CN=mail\.contoso\.example\)\.$/,
    )
  })

  test('names in the explanation each fault of the certificate', async () => {
    const notAfter = daysFromNow(-0.5)
    const { cert } = await selfSigned({ names: ['mail.fabrikam.example'], notAfter })
    const body = await withCertificate(cert)
    const { inSession, verdict } = body.recipients[0]
    assert.equal(inSession, '550 5.7.51 Sender domain is restricted to its own servers')
    assert.equal(
      verdict.explanation,
      `Connector "Contoso" accepts only a certificate for [mail.contoso.example]; presented was CN=mail.fabrikam.example: expired on ${body.clientCertificate.notAfter}; presented names [mail.fabrikam.example], expected [mail.contoso.example].`,
    )
  })
})

test("POST /explain shows which connector grants relay to the organisation's server, and the route of each recipient", async () => {
  const { body } = await call({
    mailFrom: 'ann@ours.example',
    rcptTo: ['bob@northwind.example', 'dan@mail.northwind.example', 'eve@ours.example'],
    ip: '192.0.2.7',
    tls: { negotiated: true, protocol: 'TLSv1.2' },
  })
  assert.deepEqual(outcomes(body.considered), ['Everyone: Decides', 'Office: Grants'])
  const [northwind, below, own] = body.recipients
  assert.deepEqual(outcomes(northwind.considered), ['Northwind: Decides', 'Weak: Outranked'])
  assert.deepEqual(northwind.route, { kind: 'Mx', domain: 'northwind.example' })
  assert.deepEqual(
    [northwind.tls.level, northwind.tls.tlsDomain],
    ['DomainValidation', '*.northwind.example'],
  )
  assert.deepEqual(outcomes(below.considered), ['Weak: Decides'])
  assert.equal(below.tls.level, 'Opportunistic')
  assert.deepEqual(outcomes(own.considered), ['Mailboxes: Decides'])
})

test("POST /explain shows the mailbox that gets mail to the gateway's postmaster, and its connector", async () => {
  const rcptTo = ['postmaster', '"Postmaster"@MX.ours.example', 'abuse@mx.ours.example']
  const { body } = await call({ ...fromContoso, mailFrom: 'a@elsewhere.example', rcptTo })
  assert.deepEqual(
    body.recipients.map((recipient: ApiResult['body']) => [
      recipient.address,
      recipient.inSession,
      recipient.verdict.action,
      ...outcomes(recipient.considered),
    ]),
    [
      ['postmaster@ours.example', '250 2.1.5 Accepted', 'Deliver', 'Mailboxes: Decides'],
      ['postmaster@ours.example', '250 2.1.5 Accepted', 'Deliver', 'Mailboxes: Decides'],
      ['abuse@mx.ours.example', '550 5.7.64 Relay access denied', 'Bounce'],
    ],
  )
})

test('POST /explain sends and stores nothing', async () => {
  const before = (await api.call('GET /inbound-connectors')).body
  await call(fromContoso)
  assert.deepEqual(api.evaluation.sent, [])
  assert.deepEqual((await api.call('GET /inbound-connectors')).body, before)
  assert.deepEqual((await api.call('GET /messages')).body.items, [])
})

const faults: [name: string, change: object, path: string, message: RegExp][] = [
  ['an invalid IP address', { ip: '1.2.3' }, 'ip', /is not an IP address/],
  ['no recipient', { rcptTo: [] }, 'rcptTo', /./],
  [
    'a clientCertificate in a session without TLS',
    { tls: { negotiated: false, clientCertificate: pki.ca } },
    'tls.clientCertificate',
    /must be left out unless tls\.negotiated/,
  ],
  [
    'a clientCertificate that is not PEM',
    { tls: { negotiated: true, clientCertificate: 'x' } },
    'tls.clientCertificate',
    /holds no certificate in PEM/,
  ],
  [
    'a clientCertificate that cannot be parsed',
    {
      tls: {
        negotiated: true,
        clientCertificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
      },
    },
    'tls.clientCertificate',
    /certificate 1 cannot be read/,
  ],
  [
    'a clientCertificate with invalid dates',
    { tls: { negotiated: true, clientCertificate: withoutDates(pki.ca) } },
    'tls.clientCertificate',
    /certificate 1 cannot be read/,
  ],
  ['TLS 1.1', { tls: { negotiated: true, protocol: 'TLSv1.1' } }, 'tls.protocol', /./],
]

for (const [name, change, path, message] of faults)
  test(`POST /explain gets 422, and an error that names the field, for ${name}`, async () => {
    const { status, body } = await call({ ...fromContoso, ...change })
    assert.equal(status, 422)
    const [fault] = body.errors
    assert.equal(fault.path, path)
    assert.match(fault.message, message)
  })

describe('POST /explain with what a message shows', () => {
  const name = 'mail.protection.outlook.com'
  const tenantId = '11111111-1111-1111-1111-111111111111'
  before(async () => {
    const connectors = [
      inboundInput({
        name: 'Tenant',
        connectorType: 'OnPremises',
        senderDomains: ['ours.example'],
        tlsSenderCertificateNames: [name],
        exchangeOnline: { tenantIds: [tenantId], originatorOrganizations: [] },
      }),
      inboundInput({ name: 'Bank', senderDomains: ['bank.example'], requireDmarc: true }),
    ]
    for (const json of connectors) {
      const { status, body } = await api.call('POST /inbound-connectors', { json })
      assert.equal(status, 201, JSON.stringify(body))
    }
  })

  const tenantRows: [title: string, tenantIds: string[] | null, inSession: string, why: RegExp][] = [
    ['the right tenant id', [tenantId.toUpperCase()], '250 2.1.5 Accepted', /its tenant id 11111111-/],
    ['another tenant id', ['x'], '550 5.7.64 Relay access denied', /names another tenant \(x\)/],
    ['no tenant id', null, '550 5.7.64 Relay access denied', /has no X-MS-Exchange-CrossTenant-Id/],
  ]
  for (const [title, tenantIds, inSession, why] of tenantRows)
    test(`and ${title} says whether it may relay, and why`, async () => {
      const { cert } = await pki.issue({ names: [name] })
      const { body } = await call({
        mailFrom: 'a@ours.example',
        rcptTo: ['b@foreign.example'],
        ip: '203.0.113.9',
        tls: { negotiated: true, clientCertificate: cert },
        ...(tenantIds && { exchangeOnline: { tenantIds } }),
      })
      assert.equal(body.recipients[0].inSession, inSession)
      assert.match(body.considered.find((it: { name: string }) => it.name === 'Tenant').why, why)
    })

  const fromBank = { ...fromContoso, mailFrom: 'a@bank.example', tls: { negotiated: true } }

  test('accepts in session, and bounces later, mail that fails DMARC', async () => {
    const { body } = await call({ ...fromBank, dmarc: { result: 'fail', fromDomain: 'BANK.example' } })
    const [{ inSession, verdict }] = body.recipients
    assert.deepEqual([inSession, verdict.reason], ['250 2.1.5 Accepted', 'InboundDmarcRequired'])
    assert.deepEqual(body.warnings, [])
  })

  test('warns that the connector requires DMARC if no result is given', async () => {
    const { body } = await call(fromBank)
    assert.deepEqual(body.warnings, [
      'Connector "Bank" also requires that the message passes DMARC, which only its content shows.',
    ])
  })
})

test('POST /explain refuses addresses with invisible characters, as the ingress does', async () => {
  const { status, body } = await call({
    ...fromContoso,
    mailFrom: 'a\u00adb@contoso.example',
    rcptTo: ['b@ours.example', 'c\u202e@ours.example'],
  })
  assert.equal(status, 422)
  assert.deepEqual(body.errors, [
    { path: 'mailFrom', message: 'has the invisible character U+00AD' },
    { path: 'rcptTo[1]', message: 'has the invisible character U+202E' },
  ])
})

describe('POST /explain of a message to a domain whose recipients are checked', () => {
  before(async () => {
    for (const [domain, recipients] of [
      ['list.example', 'List'],
      ['callout.example', 'SmtpCallout'],
    ]) {
      const ifMatch = { headers: { 'if-match': '*' } }
      await api.call(`PUT /accepted-domains/${domain}`, { json: {} })
      await api.call(`PUT /accepted-domains/${domain}/recipients`, {
        json: { addresses: ['anna'] },
        ...ifMatch,
      })
      await api.call(`PATCH /accepted-domains/${domain}`, { json: { recipients }, ...ifMatch })
    }
  })

  const rows: [address: string, inSession: string, check: RegExp | null][] = [
    ['Anna+tag@list.example', '250 2.1.5 Accepted', /has anna@list\.example/],
    ['bert@list.example', '550 5.1.1 Recipient address does not exist', /has no such address/],
    ['postmaster@list.example', '250 2.1.5 Accepted', null],
    ['anna@callout.example', '250 2.1.5 Accepted', /asks the next hop of connector "Mailboxes"/],
    ['b@ours.example', '250 2.1.5 Accepted', null],
    ['b@elsewhere.example', '550 5.7.64 Relay access denied', null],
  ]
  for (const [address, inSession, check] of rows)
    test(`shows the reply to ${address} and the check`, async () => {
      const { body } = await call({ mailFrom: 'a@fabrikam.example', rcptTo: [address], ip: '203.0.113.9' })
      const [recipient] = body.recipients
      assert.equal(recipient.inSession, inSession)
      if (check === null) assert.equal(recipient.recipientCheck, null)
      else assert.match(recipient.recipientCheck, check)
    })
})
