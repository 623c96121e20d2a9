/** The function as AWS calls it, its environment and clients included. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { OutboundConnectorInput } from '../../../shared/connectors/schema.ts'
import type { OutboundValidation } from '../../../shared/connectors/validation.ts'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { outboundInput } from '../../support/connectors.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { createPki, type Identity, type Pki } from '../../support/pki.ts'
import { type Partner, startPartner } from '../../support/smtp-partner.ts'
import { detailOf, outline } from '../../support/validation.ts'

let database: TestDynamoDb
let pki: Pki
let identity: Identity
let partner: Partner
let repository: ConnectorRepository
let handler: (event: APIGatewayProxyEventV2) => Promise<APIGatewayProxyStructuredResultV2>

const sent: URLSearchParams[] = []
let answerOfSes = { status: 200, body: '' }
const ses = createServer(async (request, response) => {
  sent.push(new URLSearchParams(await text(request)))
  response.writeHead(answerOfSes.status, { 'content-type': 'text/xml' }).end(answerOfSes.body)
})

const taken = `<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/">
  <SendRawEmailResult><MessageId>0100-abc</MessageId></SendRawEmailResult></SendRawEmailResponse>`
const refused = `<ErrorResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><Error><Type>Sender</Type>
  <Code>MessageRejected</Code><Message>Email address is not verified.</Message></Error></ErrorResponse>`

before(async () => {
  database = await startDynamoDb()
  repository = new ConnectorRepository(database.documents, database.connectorsTable)
  await repository.acceptedDomains.create('ours.example', { comment: '' })
  pki = await createPki()
  identity = await pki.issue({ names: ['mx.northwind.example'] })
  partner = await startPartner({ tls: identity })
  await once(ses.listen(0, '127.0.0.1'), 'listening')
  Object.assign(process.env, {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL_DYNAMODB: database.endpoint,
    AWS_ENDPOINT_URL_SES: `http://127.0.0.1:${(ses.address() as AddressInfo).port}`,
    MAIL_HOSTNAME: 'mail.ours.example',
    CONNECTORS_TABLE: database.connectorsTable,
    TRANSPORT_TABLE: database.transportTable,
    SES_CONFIGURATION_SET_REQUIRE_TLS: 'require',
    SES_CONFIGURATION_SET_OPTIONAL_TLS: 'optional',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
  })
  handler = (await import('../../../functions/validate-connector/handler.ts')).handler
})
after(async () => {
  ses.closeAllConnections()
  ses.close()
  await partner.stop()
  await database.stop()
})

let made = 0

async function validated(input: Partial<OutboundConnectorInput>): Promise<OutboundValidation> {
  const saved = await repository.outbound.create(outboundInput({ name: `Connector ${++made}`, ...input }))
  assert.ok(saved.kind === 'Saved')
  const { id } = saved.value
  const { statusCode, body } = await handler({
    version: '2.0',
    routeKey: 'POST /outbound-connectors/{id}/validate',
    rawPath: `/outbound-connectors/${id}/validate`,
    rawQueryString: '',
    headers: {},
    pathParameters: { id },
    requestContext: { requestId: 'request-1', http: { method: 'POST' } },
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEventV2)
  assert.equal(statusCode, 200, body)
  const validation = JSON.parse(body ?? '')
  assert.deepEqual((await repository.outbound.get(id))?.validation, validation)
  return validation
}

describe('validate-connector', () => {
  it('validates a smart host by its address', async () => {
    const validation = await validated({
      route: 'SmartHosts',
      smartHosts: [{ host: '127.0.0.1', port: partner.port }],
      tlsSettings: 'CertificateValidation',
      certificateAuthorities: [pki.ca],
    })
    assert.equal(outline(validation), 'Resolve Connect Ehlo StartTls Certificate TestMail')
    assert.equal(partner.commands[0], 'EHLO mail.ours.example')
    assert.equal(partner.received.length, 1)
  })

  const sets = [
    { tlsSettings: 'EncryptionOnly', mode: 'Enforce', set: 'require' },
    { tlsSettings: 'EncryptionOnly', mode: 'ReportOnly', set: 'require' },
    { tlsSettings: null, mode: 'Enforce', set: 'optional' },
  ] as const
  for (const { tlsSettings, mode, set } of sets)
    it(`sends by SES with the set "${set}" where tlsSettings is ${tlsSettings} in mode ${mode}`, async () => {
      answerOfSes = { status: 200, body: taken }
      sent.length = 0
      const validation = await validated({ route: 'Ses', tlsSettings, mode })
      assert.equal(outline(validation), 'Resolve TestMail')
      assert.match(detailOf(validation, 'Resolve') ?? '', /^Amazon SES resolves and connects itself/)
      assert.equal(
        detailOf(validation, 'TestMail'),
        'postmaster@northwind.example: 250 2.0.0 Amazon SES took it as 0100-abc',
      )
      assert.equal(sent.length, 1)
      assert.deepEqual(
        ['ConfigurationSetName', 'Source', 'Destinations.member.1'].map((name) => sent[0]?.get(name)),
        [set, 'mailflow-validation@ours.example', 'postmaster@northwind.example'],
      )
      const message = Buffer.from(sent[0]?.get('RawMessage.Data') ?? '', 'base64').toString()
      assert.match(message, /^Auto-Submitted: auto-generated\r$/m)
    })

  it('tells what SES refuses, and asks it once', async () => {
    answerOfSes = { status: 400, body: refused }
    sent.length = 0
    const validation = await validated({ route: 'Ses' })
    assert.equal(outline(validation), 'Resolve !TestMail')
    assert.match(detailOf(validation, 'TestMail') ?? '', /MessageRejected: Email address is not verified\.$/)
    assert.equal(sent.length, 1)
  })
})
