import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { DeleteCommand, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { encodeTime } from 'ulid'
import { InboundValidation, validateInbound } from '../../../functions/connector-api/inbound-validation.ts'
import type { InboundConnector, InboundConnectorInput } from '../../../shared/connectors/schema.ts'
import { type Message, noTls, type TlsFacts } from '../../../shared/contract/message.ts'
import { History } from '../../../shared/messages/history.ts'
import { Trace } from '../../../shared/messages/trace.ts'
import type { Verdict } from '../../../shared/policy/evaluate.ts'
import { opportunistic } from '../../../shared/policy/outbound.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import {
  authenticated,
  circumstances,
  inbound,
  message,
  overTls,
  overTlsWith,
  recipient,
} from '../../support/fixtures.ts'
import { createPki } from '../../support/pki.ts'

let database: TestDynamoDb
let api: ReturnType<typeof createTestApi>
let trace: Trace
/** The current time, because the tests issue certificates that are valid now. */
const now = Date.now()
const dayMs = 86_400_000
const daysAgo = (days: number): string => new Date(now - days * dayMs).toISOString()

before(async () => {
  database = await startDynamoDb()
  api = createTestApi(database.documents, () => now)
  trace = new Trace(database.documents, database.messagesTable)
})
after(() => database.stop())

beforeEach(async () => {
  const { Items = [] } = await database.documents.send(new ScanCommand({ TableName: 'messages' }))
  for (const { pk, sk } of Items)
    await database.documents.send(new DeleteCommand({ TableName: 'messages', Key: { pk, sk } }))
})

/** Seconds since the epoch, later than all times of the tests. */
const expiresAt = 4_000_000_000
let messageCount = 0

interface ReceivedFields {
  from?: string
  ip?: string
  tls?: TlsFacts
  days?: number
  source?: null
  to?: string[]
  /** What the message shows. */
  content?: Pick<Message, 'exchangeOnline' | 'authentication'>
}

/** Puts a message into the trace. @returns its id */
async function receiveMessage({
  from = 'a@contoso.example',
  days = 1,
  to = ['b@ours.example'],
  content = {},
  ...fields
}: ReceivedFields = {}) {
  const { ip = '192.0.2.1', tls = overTls, source = { ip, port: 40_000, helo: 'client.example' } } = fields
  const id = `${encodeTime(now - days * dayMs, 10)}${String(messageCount++).padStart(16, '0')}`
  const receivedMessage: Message = {
    ...message({ id, receivedAt: daysAgo(days), source, tls, mailFrom: from }),
    ...content,
  }
  await trace.recordMessage(receivedMessage, circumstances.at, 90)
  for (const address of to)
    await trace.recordVerdict(receivedMessage, delivered(address), circumstances, expiresAt)
  return id
}

const delivered = (address: string): Verdict => ({
  action: 'Deliver',
  recipient: recipient({ address }),
  reason: 'DefaultRoute',
  explanation: 'No outbound connector matches.',
  connectors: { inbound: null, outbound: null },
  decidedBy: null,
  lowered: [],
  newRequirement: null,
  reportOnly: null,
  route: { kind: 'Ses' },
  tls: opportunistic,
  destination: 'ours.example',
  attempt: 1,
})

let names = 0

/** Creates a connector and validates it. */
async function validate(fields: Partial<InboundConnectorInput> = {}, query = '', json?: object) {
  const input = { connectorType: 'Partner', senderDomains: ['contoso.example'], ...fields }
  const created = await api.call('POST /inbound-connectors', {
    json: { name: `Connector ${++names}`, enabled: false, ...input },
  })
  assert.equal(created.status, 201, JSON.stringify(created.body))
  const { status, body } = await api.call(
    `POST ${created.headers.location}/validate${query}`,
    json && { json },
  )
  assert.equal(status, 200, JSON.stringify(body))
  assert.deepEqual(InboundValidation.parse(body), body, 'as the API describes it')
  return { ...(body as InboundValidation), created: created.body as InboundConnector }
}

const counts = ({ messages, passing, failing }: InboundValidation) => ({
  messages,
  passing,
  ...Object.fromEntries(failing.map(({ reason, count }) => [reason, count])),
})

describe('validating an inbound connector', () => {
  test('counts the messages that would pass, and gives reasons for the messages that would not', async () => {
    const ids: string[] = []
    for (const days of [6, 5, 4, 3, 2, 1.5, 1])
      ids.unshift(await receiveMessage({ days, tls: noTls, ip: `192.0.2.${days * 2}` }))
    await receiveMessage({ days: 2 })
    await receiveMessage({ days: 3, to: ['b@ours.example', 'c@ours.example', 'd@ours.example'] })
    const { created, ...validation } = await validate()
    const summary = `Of 9 messages in 7 days, 2 would pass; 7 came without TLS, the latest on ${daysAgo(1)} from 192.0.2.2.`
    assert.deepEqual(validation, {
      connector: created.id,
      from: daysAgo(7),
      to: daysAgo(0),
      messages: 9,
      passing: 2,
      failing: [
        {
          reason: 'InboundTlsRequired',
          count: 7,
          explanation: `Connector "${created.name}" requires TLS, and this session has no TLS.`,
          latest: daysAgo(1),
          messages: ids.slice(0, 5),
        },
      ],
      complete: true,
      summary,
    })
  })

  test('evaluates a connector as enforced, even if it is disabled or report only', async () => {
    await receiveMessage({ tls: noTls })
    const states = [{ enabled: false }, { enabled: true, mode: 'ReportOnly' as const }, { enabled: true }]
    for (const state of states) {
      const validation = await validate(state)
      assert.deepEqual(counts(validation), { messages: 1, passing: 0, InboundTlsRequired: 1 })
      assert.match(validation.summary, /^Of 1 message in 7 days, none would pass; 1 came without TLS, on /)
    }
  })

  test("evaluates only mail from the connector's sender domains, and no DSNs that mailflow created", async () => {
    for (const from of [
      'a@contoso.example',
      'a@CONTOSO.example',
      'a@mail.contoso.example',
      'a@elsewhere.example',
    ])
      await receiveMessage({ from })
    await receiveMessage({ from: '' })
    await receiveMessage({ from: '', source: null })
    const rows = [
      { senderDomains: ['contoso.example'], messages: 2 },
      { senderDomains: ['*.contoso.example'], messages: 3 },
      { senderDomains: ['fabrikam.example', 'elsewhere.example'], messages: 1 },
      { senderDomains: ['*'], messages: 5 },
    ]
    for (const { senderDomains, messages } of rows)
      assert.equal((await validate({ senderDomains })).messages, messages, `${senderDomains}`)
  })

  const spans = [
    { name: 'the last seven days by default', messages: 3 },
    { name: 'the last two days with ?days=2', query: '?days=2', messages: 1 },
    { name: 'the last 30 days with days 30 in the body', json: { days: 30 }, messages: 4 },
  ]
  for (const { name, query, json, messages } of spans)
    test(`evaluates mail of ${name}`, async () => {
      for (const days of [1, 3, 6.99, 7.01, 30.01]) await receiveMessage({ days })
      assert.equal((await validate({}, query, json)).messages, messages)
    })

  test('counts messages by the restriction that they violate, most frequent first', async () => {
    const restricted = {
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mail.contoso.example'],
      minimumTlsVersion: 'TLSv1.3' as const,
    }
    const good = { notAfter: daysAgo(-30) }
    await receiveMessage({ tls: overTlsWith(good), days: 5 })
    await receiveMessage({ tls: overTlsWith({ ...good, subjectAltNames: ['mail.contoso.test'] }), days: 4 })
    await receiveMessage({ days: 3, ip: '192.0.2.3' })
    await receiveMessage({ tls: { ...overTls, protocol: 'TLSv1.2' }, days: 2, ip: '192.0.2.2' })
    const validation = await validate(restricted)
    assert.deepEqual(counts(validation), {
      messages: 4,
      passing: 1,
      InboundCertificateRestriction: 2,
      InboundTlsVersion: 1,
    })
    assert.equal(
      validation.summary,
      'Of 4 messages in 7 days, 1 would pass' +
        `; 2 came without an accepted certificate, the latest on ${daysAgo(3)} from 192.0.2.3` +
        `; 1 came over a TLS version below the minimum, on ${daysAgo(2)} from 192.0.2.2.`,
    )
    assert.match(validation.failing[0]?.explanation ?? '', /mail\.contoso\.example.*none was presented/)
  })

  test('names the client address of a message that is not from a listed address', async () => {
    await receiveMessage({ ip: '192.0.2.9' })
    await receiveMessage({ ip: '198.51.100.7' })
    const { summary, ...validation } = await validate({
      restrictDomainsToIpAddresses: true,
      senderIpAddresses: ['192.0.2.0/24'],
    })
    assert.deepEqual(counts({ summary, ...validation }), {
      messages: 2,
      passing: 1,
      InboundAddressRestriction: 1,
    })
    assert.match(summary, /1 came from addresses that are not listed, on .* from 198\.51\.100\.7\.$/)
  })

  test("verifies the presented chain by the connector's own authorities", async () => {
    const [ownPki, otherPki] = [await createPki('Own'), await createPki('Other')]
    const tlsWithCertificateOf = async (pki: typeof ownPki) => {
      const { cert } = await pki.issue({ names: ['mail.contoso.example'] })
      const { raw } = new X509Certificate(cert)
      const dates = { notBefore: daysAgo(1), notAfter: daysAgo(-30) }
      return overTlsWith({ ...dates, trusted: false, trustError: 'UNKNOWN', chain: [raw.toString('base64')] })
    }
    await receiveMessage({ tls: await tlsWithCertificateOf(ownPki), days: 0.5 })
    await receiveMessage({ tls: await tlsWithCertificateOf(otherPki), days: 0.5 })
    const validation = await validate({
      restrictDomainsToCertificate: true,
      tlsSenderCertificateNames: ['mail.contoso.example'],
      certificateAuthorities: [ownPki.ca],
    })
    assert.deepEqual(counts(validation), { messages: 2, passing: 1, InboundCertificateRestriction: 1 })
  })

  test('counts for an OnPremises connector clients that it does not identify, and identified clients without TLS', async () => {
    await receiveMessage({ ip: '192.0.2.1' })
    await receiveMessage({ ip: '192.0.2.2', tls: noTls })
    await receiveMessage({ ip: '198.51.100.7' })
    const validation = await validate({
      connectorType: 'OnPremises',
      senderDomains: ['contoso.example'],
      senderIpAddresses: ['192.0.2.0/24'],
    })
    assert.deepEqual(counts(validation), {
      messages: 3,
      passing: 1,
      InboundTlsRequired: 1,
      NotIdentified: 1,
    })
    const { explanation } = validation.failing.find(({ reason }) => reason === 'NotIdentified') ?? {}
    assert.match(explanation ?? '', /198\.51\.100\.7 is not in \[192\.0\.2\.0\/24\]/)
  })

  test('reports that the connector could not be checked when no mail came from its domains', async () => {
    await receiveMessage({ from: 'a@elsewhere.example' })
    const { summary, messages, complete } = await validate(
      { senderDomains: ['*.contoso.example'] },
      '?days=1',
    )
    assert.deepEqual([messages, complete], [0, true])
    assert.equal(
      summary,
      'No message came from *.contoso.example in 1 day, so the connector could not be checked.',
    )
  })

  test('mentions messages refused in session only when the connector is enforced, and not with onViolation Defer', async () => {
    const rows = [
      { state: { enabled: true }, isMentioned: true },
      { state: { enabled: true, onViolation: 'Defer' as const }, isMentioned: false },
      { state: { enabled: true, mode: 'ReportOnly' as const }, isMentioned: false },
      { state: { enabled: false }, isMentioned: false },
    ]
    for (const { state, isMentioned } of rows) {
      const { summary } = await validate(state)
      assert.equal(/refused in session/.test(summary), isMentioned, `${JSON.stringify(state)}: ${summary}`)
    }
  })

  test('evaluates DMARC from the results of each message', async () => {
    for (const result of ['pass', 'fail', 'fail'] as const)
      await receiveMessage({ content: { authentication: authenticated(result, 'contoso.example') } })
    const validation = await validate({ requireDmarc: true })
    assert.deepEqual(counts(validation), { messages: 3, passing: 1, InboundDmarcRequired: 2 })
    assert.match(validation.summary, /2 did not pass DMARC/)
  })

  test('counts only messages to the associatedAcceptedDomains', async () => {
    await receiveMessage({ tls: noTls })
    await receiveMessage({ tls: noTls, to: ['b@ours.example', 'b@bank.example'] })
    const validation = await validate({ associatedAcceptedDomains: ['bank.example'] })
    assert.deepEqual(counts(validation), { messages: 1, passing: 0, InboundTlsRequired: 1 })
  })

  test('identifies the tenant of Exchange Online by what each message shows', async () => {
    const [id, other] = ['11111111-1111-1111-1111-111111111111', '99999999-9999-9999-9999-999999999999']
    const name = 'mail.protection.outlook.com'
    const tls = overTlsWith({ subject: `CN=${name}`, subjectAltNames: [name] })
    for (const tenantIds of [[id], [other], []])
      await receiveMessage({
        tls,
        content: { exchangeOnline: { tenantIds, originatorOrganizations: [], alignedSignatures: [] } },
      })
    const validation = await validate({
      connectorType: 'OnPremises',
      tlsSenderCertificateNames: [name],
      exchangeOnline: { tenantIds: [id], originatorOrganizations: [] },
    })
    assert.deepEqual(counts(validation), { messages: 3, passing: 1, NotIdentified: 2 })
  })

  test('ends when its time is over, and reports how far back it searched', async () => {
    for (const days of [1, 2, 3, 4, 5]) await receiveMessage({ days })
    let clock = now - 5_000
    const history = new History(database.documents, database.messagesTable, 1)
    const validation = await validateInbound(inbound(), new Set(), 7, {
      history,
      now: () => (clock += 5_000),
    })
    assert.deepEqual([validation.complete, validation.messages], [false, 2])
    assert.match(
      validation.summary,
      new RegExp(
        `^Of 2 messages since ${daysAgo(2)} \\(the search ran out of time before it covered all days\\), 2 would pass`,
      ),
    )
  })

  const wrong = [
    { target: '/inbound-connectors/01ARZ3NDEKTSV4RRFFQ69G5FAV/validate', status: 404 },
    { target: '/inbound-connectors/x/validate', status: 404 },
    { target: '/inbound-connectors/x/validate?days=0', status: 400 },
    { target: '/inbound-connectors/x/validate?days=31', status: 400 },
    { target: '/inbound-connectors/x/validate?days=a', status: 400 },
    { target: '/inbound-connectors/x/validate', json: { days: 31 }, status: 422 },
    { target: '/inbound-connectors/x/validate', json: { day: 3 }, status: 422 },
  ]
  for (const { target, json, status } of wrong)
    test(`POST ${target}${json ? ` with ${JSON.stringify(json)}` : ''} gets ${status}`, async () => {
      assert.equal((await api.call(`POST ${target}`, json && { json })).status, status)
    })
})
