/** validate-connector as AWS invokes it, with its environment and clients. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { OutboundConnectorInput } from '../../../shared/connectors/schema.ts'
import type { OutboundValidation } from '../../../shared/connectors/validation.ts'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { iamAuthorizer } from '../../support/api-client.ts'
import { queryError, sesAccepted } from '../../support/aws-answers.ts'
import { outboundInput } from '../../support/connectors.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { type FakeQueryService, startQueryService } from '../../support/fake-query-service.ts'
import { setEnvironment } from '../../support/lambda.ts'
import { createPki, type Identity, type Pki } from '../../support/pki.ts'
import { type Partner, startPartner } from '../../support/smtp-partner.ts'
import { detailOf, listSteps } from '../../support/validation.ts'

let database: TestDynamoDb
let pki: Pki
let identity: Identity
let partner: Partner
let repository: ConnectorRepository
let handler: (event: APIGatewayProxyEventV2) => Promise<APIGatewayProxyStructuredResultV2>

let ses: FakeQueryService

before(async () => {
  database = await startDynamoDb()
  repository = new ConnectorRepository(database.documents, database.connectorsTable)
  await repository.acceptedDomains.create('ours.example', { recipients: 'Any', comment: '' }, 'administrator')
  pki = await createPki()
  identity = await pki.issue({ names: ['mx.northwind.example'] })
  partner = await startPartner({ tls: identity })
  ses = await startQueryService(() => ({ status: 200, body: sesAccepted('0100-abc') }))
  setEnvironment({
    AWS_ENDPOINT_URL_DYNAMODB: database.endpoint,
    AWS_ENDPOINT_URL_SES: ses.url,
    MAIL_HOSTNAME: 'mail.ours.example',
    CONNECTORS_TABLE: database.connectorsTable,
    TRANSPORT_TABLE: database.transportTable,
    SES_CONFIGURATION_SET_REQUIRE_TLS: 'require',
    SES_CONFIGURATION_SET_OPTIONAL_TLS: 'optional',
  })
  handler = (await import('../../../functions/validate-connector/handler.ts')).handler
})
after(async () => {
  await ses.stop()
  await partner.stop()
  await database.stop()
})

let connectorCount = 0

async function createAndValidate(input: Partial<OutboundConnectorInput>): Promise<OutboundValidation> {
  const saved = await repository.outbound.create(
    outboundInput({ name: `Connector ${++connectorCount}`, ...input }),
    'administrator',
  )
  assert.ok(saved.kind === 'Saved')
  const { id } = saved.value
  const { statusCode, body } = await handler({
    version: '2.0',
    routeKey: 'POST /outbound-connectors/{id}/validate',
    rawPath: `/outbound-connectors/${id}/validate`,
    rawQueryString: '',
    headers: {},
    pathParameters: { id },
    requestContext: { requestId: 'request-1', http: { method: 'POST' }, authorizer: iamAuthorizer },
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEventV2)
  assert.equal(statusCode, 200, body)
  const validation = JSON.parse(body ?? '')
  assert.deepEqual((await repository.outbound.get(id))?.validation, validation)
  return validation
}

describe('validate-connector', () => {
  it('validates a connector whose smart host is an IP address', async () => {
    const validation = await createAndValidate({
      route: 'SmartHosts',
      smartHosts: [{ host: '127.0.0.1', port: partner.port }],
      tlsSettings: 'CertificateValidation',
      certificateAuthorities: [pki.ca],
    })
    assert.equal(listSteps(validation), 'Resolve Connect Ehlo StartTls Certificate TestMail')
    assert.equal(partner.commands[0], 'EHLO mail.ours.example')
    assert.equal(partner.received.length, 1)
  })

  const sets = [
    { tlsSettings: 'EncryptionOnly', mode: 'Enforce', set: 'require' },
    { tlsSettings: 'EncryptionOnly', mode: 'ReportOnly', set: 'require' },
    { tlsSettings: null, mode: 'Enforce', set: 'optional' },
  ] as const
  for (const { tlsSettings, mode, set } of sets)
    it(`sends the test message through SES with the configuration set "${set}" when tlsSettings is ${tlsSettings} in mode ${mode}`, async () => {
      ses.requests.length = 0
      const validation = await createAndValidate({ route: 'Ses', tlsSettings, mode })
      assert.equal(listSteps(validation), 'Resolve TestMail')
      assert.match(detailOf(validation, 'Resolve') ?? '', /^Amazon SES resolves and connects later/)
      assert.equal(
        detailOf(validation, 'TestMail'),
        'postmaster@northwind.example: 250 2.0.0 Amazon SES accepted it as 0100-abc',
      )
      assert.equal(ses.requests.length, 1)
      assert.deepEqual(
        ['ConfigurationSetName', 'Source', 'Destinations.member.1'].map((name) => ses.requests[0]?.get(name)),
        [set, 'mailflow-validation@ours.example', 'postmaster@northwind.example'],
      )
      const message = Buffer.from(ses.requests[0]?.get('RawMessage.Data') ?? '', 'base64').toString()
      assert.match(message, /^Auto-Submitted: auto-generated\r$/m)
    })

  it('reports that SES refused the test message, and sends only one request', async () => {
    ses.answer = () => ({
      status: 400,
      body: queryError('MessageRejected', 'Email address is not verified.'),
    })
    ses.requests.length = 0
    const validation = await createAndValidate({ route: 'Ses' })
    assert.equal(listSteps(validation), 'Resolve !TestMail')
    assert.match(detailOf(validation, 'TestMail') ?? '', /MessageRejected: Email address is not verified\.$/)
    assert.equal(ses.requests.length, 1)
  })
})
