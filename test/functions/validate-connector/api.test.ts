import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Logger } from '@aws-lambda-powertools/logger'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { createValidationApi } from '../../../functions/validate-connector/api.ts'
import { type Options, validate } from '../../../functions/validate-connector/validate.ts'
import { OutboundConnector, type OutboundConnectorInput } from '../../../shared/connectors/schema.ts'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { SnapshotReader } from '../../../shared/connectors-table/snapshot-reader.ts'
import { iamAuthorizer } from '../../support/api-client.ts'
import { outboundInput } from '../../support/connectors.ts'
import { silentResolver } from '../../support/dns.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { connectorsIn } from '../../support/fixtures.ts'
import { createPki } from '../../support/pki.ts'
import { signedIn } from '../../support/sign-in.ts'
import { type Partner, startPartner } from '../../support/smtp-partner.ts'
import { listSteps, options, smartHost } from '../../support/validation.ts'

const now = Date.parse('2026-02-03T12:00:00.000Z')
let database: TestDynamoDb
let repository: ConnectorRepository
let partner: Partner
let authority: string
const logged: unknown[] = []

before(async () => {
  database = await startDynamoDb()
  repository = new ConnectorRepository(database.documents, database.connectorsTable, () => now)
  const pki = await createPki()
  authority = pki.ca
  partner = await startPartner({ tls: await pki.issue({ names: [smartHost] }) })
})
after(async () => {
  await partner.stop()
  await database.stop()
})

interface RequestOptions {
  json?: unknown
  body?: string
  /** Runs after the connector is read and before the result is stored. */
  meanwhile?: () => Promise<unknown>
  options?: Options
  /** The request context's authorizer. */
  authorizer?: object | null
  headers?: Record<string, string>
}

async function call(
  id: string,
  { json, body, meanwhile, authorizer = iamAuthorizer, headers = {}, ...rest }: RequestOptions = {},
) {
  const logger = {
    info: (message: string, fields: object) => logged.push({ message, ...fields }),
    error: (message: string, error: Error) => logged.push({ message, error }),
  } as unknown as Logger
  const api = createValidationApi({
    outbound: repository.outbound,
    acceptedDomains: repository.acceptedDomains,
    validate: async (connector, testMessage) => {
      const validation = await validate(connector, testMessage, rest.options ?? options())
      await meanwhile?.()
      return validation
    },
    published: { read: async () => null },
    resolver: silentResolver,
    privateNetworks: [],
    hostname: 'mail.ours.example',
    roles: { claim: 'groups', mapping: { helpdesk: ['operate'], auditors: ['audit'] } },
    logger,
    now: () => now,
  })
  const text = body ?? (json === undefined ? undefined : JSON.stringify(json))
  const result = await api({
    version: '2.0',
    routeKey: 'POST /outbound-connectors/{id}/validate',
    rawPath: `/outbound-connectors/${id}/validate`,
    rawQueryString: '',
    headers: { ...(text !== undefined && { 'content-type': 'application/json' }), ...headers },
    pathParameters: { id },
    requestContext: { requestId: 'request-1', http: { method: 'POST' }, authorizer },
    ...(text !== undefined && { body: text }),
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEventV2)
  return { status: result.statusCode, headers: result.headers, body: JSON.parse(result.body ?? 'null') }
}

let connectorCount = 0

const toPartner = (fields: Partial<OutboundConnectorInput> = {}): OutboundConnectorInput =>
  outboundInput({
    name: `Connector ${++connectorCount}`,
    route: 'SmartHosts',
    smartHosts: [{ host: smartHost, port: partner.port }],
    tlsSettings: 'DomainValidation',
    tlsDomain: smartHost,
    certificateAuthorities: [authority],
    ...fields,
  })

async function create(fields: Partial<OutboundConnectorInput> = {}): Promise<OutboundConnector> {
  const saved = await repository.outbound.create(toPartner(fields), 'administrator')
  assert.equal(saved.kind, 'Saved')
  return (saved as { value: OutboundConnector }).value
}

const read = async (id: string): Promise<OutboundConnector | null> => repository.outbound.get(id)

describe('POST /outbound-connectors/{id}/validate without an accepted domain', () => {
  it('gets 409 with an instruction, because the test message has no sender', async () => {
    const { id } = await create()
    const { status, headers, body } = await call(id)
    assert.equal(status, 409)
    assert.equal(headers?.['content-type'], 'application/problem+json')
    assert.match(body.detail, /PUT \/accepted-domains\/\{domain\}/)
    assert.equal((await read(id))?.validation, null)
    assert.equal(partner.connections(), 0)
  })
})

describe('a person who validates a connector', () => {
  it('needs the role operate: the role audit gets 403, and no session is opened', async () => {
    const { id } = await create()
    const { status, body } = await call(id, signedIn({ groups: ['auditors'] }))
    assert.equal(status, 403)
    assert.equal(body.detail, 'This request needs the role operate. You have the role audit.')
    assert.equal(partner.connections(), 0)
  })

  it('is refused with the right role only by the next check', async () => {
    const { id } = await create()
    assert.equal((await call(id, signedIn({ groups: ['helpdesk'] }))).status, 409)
  })

  it('is refused without an authorizer', async () => {
    const { id } = await create()
    assert.equal((await call(id, { authorizer: null })).status, 403)
  })
})

describe('the result of a validation', () => {
  before(() =>
    repository.acceptedDomains.create('ours.example', { recipients: 'Any', comment: '' }, 'administrator'),
  )

  it('is returned and stored on the connector without other changes', async () => {
    const connector = await create()
    const { status, headers, body } = await call(connector.id)
    assert.deepEqual([status, headers?.['content-type']], [200, 'application/json'])
    assert.equal(listSteps(body), 'Resolve Connect Ehlo StartTls Certificate TestMail')
    assert.deepEqual(
      [body.at, body.succeeded, body.connectorVersion],
      [new Date(now).toISOString(), true, connector.version],
    )
    const stored = await read(connector.id)
    assert.deepEqual(stored, { ...connector, validation: body })
    assert.deepEqual(OutboundConnector.parse(stored), stored, 'as the API describes it')
  })

  it('is also stored when the validation failed', async () => {
    const { id } = await create({ tlsDomain: 'mx.other.example' })
    const { status, body } = await call(id)
    assert.deepEqual([status, body.succeeded], [200, false])
    assert.deepEqual((await read(id))?.validation, body)
  })

  it('is replaced by the next result, and removed when the connector is replaced', async () => {
    const { id } = await create()
    await call(id)
    const second = await call(id)
    assert.deepEqual((await read(id))?.validation, second.body)
    const written = await repository.outbound.replace(
      id,
      toPartner({ comment: 'changed' }),
      'any',
      'administrator',
    )
    assert.deepEqual(written.kind === 'Saved' && written.value.validation, null)
    assert.equal((await read(id))?.validation, null)
    assert.equal((await call(id)).body.connectorVersion, 2)
  })

  it('does not change the version of the connectors, and is not in the snapshot', async () => {
    const { id } = await create()
    const snapshots = new SnapshotReader(database.documents, database.connectorsTable)
    const before = await snapshots.current()
    await call(id)
    assert.equal(await snapshots.current(), before)
    const loaded = await new SnapshotReader(database.documents, database.connectorsTable).current()
    const connector = connectorsIn(loaded).get(id)
    assert.ok(connector && 'validation' in connector)
    assert.equal(connector.validation, null)
  })

  it('is not stored, and the response is 409, when the connector changed during the validation', async () => {
    const { id } = await create()
    const meanwhile = () =>
      repository.outbound.replace(id, toPartner({ tlsDomain: 'mx.other.example' }), 'any', 'administrator')
    const { status, body } = await call(id, { meanwhile })
    assert.equal(status, 409)
    assert.match(body.detail, /changed during its validation/)
    assert.equal((await read(id))?.validation, null)
  })

  it('is not stored, and the response is 404, when the connector was removed during the validation', async () => {
    const { id } = await create()
    const { status } = await call(id, {
      meanwhile: () => repository.outbound.remove(id, 'any', 'administrator'),
    })
    assert.equal(status, 404)
    assert.equal(await read(id), null)
  })

  it('is logged with the failed steps', async () => {
    const { id } = await create({ tlsDomain: 'mx.other.example' })
    logged.length = 0
    await call(id)
    const line = logged.find((entry) => (entry as { connector?: string }).connector === id) as {
      succeeded: boolean
      failed: { step: string }[]
    }
    assert.deepEqual(
      [line.succeeded, line.failed.map(({ step }) => step)],
      [false, ['Certificate', 'TestMail']],
    )
  })
})

describe('the field recipients of a validation', () => {
  const rows: {
    title: string
    fields?: Partial<OutboundConnectorInput>
    json?: unknown
    expected: string[] | { status: number; errors: [string, RegExp][] }
  }[] = [
    {
      title: 'is by default the postmaster of the first domain without a wildcard',
      fields: { recipientDomains: ['*.northwind.example', 'contoso.example', 'fabrikam.example'] },
      expected: ['postmaster@contoso.example'],
    },
    {
      title: 'is required when every domain of the connector has a wildcard',
      fields: { recipientDomains: ['*.northwind.example'] },
      expected: { status: 422, errors: [['recipients', /^is required, /]] },
    },
    {
      title:
        'is by default the postmaster of the first accepted domain when the connector has allAcceptedDomains',
      fields: { connectorType: 'OnPremises', recipientDomains: [], allAcceptedDomains: true },
      expected: ['postmaster@ours.example'],
    },
    {
      title: 'may have two addresses in a domain of the connector',
      json: { recipients: ['ann@NORTHWIND.example', 'bob+test@northwind.example'] },
      expected: ['ann@northwind.example', 'bob+test@northwind.example'],
    },
    {
      title: 'may have an address in a domain that a wildcard of the connector matches',
      fields: { recipientDomains: ['*.northwind.example'] },
      json: { recipients: ['ann@mail.northwind.example'] },
      expected: ['ann@mail.northwind.example'],
    },
    {
      title: 'may have an address in an accepted domain when the connector has allAcceptedDomains',
      fields: { connectorType: 'OnPremises', recipientDomains: [], allAcceptedDomains: true },
      json: { recipients: ['ann@ours.example'] },
      expected: ['ann@ours.example'],
    },
    {
      title: 'must have only addresses in domains of the connector',
      json: { recipients: ['ann@northwind.example', 'b@elsewhere.example'] },
      expected: { status: 422, errors: [['recipients[1]', /elsewhere\.example is not a domain of this/]] },
    },
    {
      title: 'must have only addresses in one domain with route Mx',
      fields: { route: 'Mx', smartHosts: [], recipientDomains: ['*'] },
      json: { recipients: ['a@one.example', 'b@two.example'] },
      expected: { status: 422, errors: [['recipients[1]', /one domain at a time/]] },
    },
    {
      title: 'must have only valid addresses',
      json: {
        recipients: ['a@b@northwind.example', 'x', '"a b"@northwind.example', 'a\r\nDATA@northwind.example'],
      },
      expected: {
        status: 422,
        errors: [0, 1, 2, 3].map((n): [string, RegExp] => [`recipients[${n}]`, /is not an address/]),
      },
    },
    {
      title: 'must not be empty',
      json: { recipients: [] },
      expected: { status: 422, errors: [['recipients', /./]] },
    },
    {
      title: 'must not have eleven addresses',
      json: { recipients: Array.from({ length: 11 }, (_, n) => `u${n}@northwind.example`) },
      expected: { status: 422, errors: [['recipients', /./]] },
    },
    {
      title: 'is unknown under the name "recipient"',
      json: { recipient: 'ann@northwind.example' },
      expected: { status: 422, errors: [['recipient', /is not a known field/]] },
    },
  ]
  for (const { title, fields, json, expected } of rows)
    it(title, async () => {
      const { id } = await create(fields)
      const before = partner.received.length
      const { status, body } = await call(id, { json })
      const received = partner.received.slice(before)
      if (Array.isArray(expected)) {
        assert.equal(status, 200, JSON.stringify(body))
        assert.deepEqual(
          received.map(({ recipients }) => recipients),
          [expected.map((address) => `RCPT TO:<${address}>`)],
        )
      } else {
        assert.equal(status, expected.status)
        assert.deepEqual(
          body.errors.map(({ path }: { path: string }) => path),
          expected.errors.map(([path]) => path),
        )
        for (const [index, [, message]] of expected.errors.entries())
          assert.match(body.errors[index].message, message)
        assert.equal(received.length, 0)
      }
    })
})

describe('a validation request', () => {
  const rows = [
    { name: 'an unknown connector', id: '01ARZ3NDEKTSV4RRFFQ69G5FAV', request: {}, status: 404 },
    { name: 'an invalid connector id', id: 'x', request: {}, status: 404 },
    { name: 'a body that is not JSON', id: 'x', request: { body: '{' }, status: 400 },
    { name: 'a body that is not an object', id: 'x', request: { json: [] }, status: 422 },
  ]
  for (const { name, id, request, status } of rows)
    it(`with ${name} gets ${status}`, async () => {
      const response = await call(id, request)
      assert.deepEqual([response.status, response.body.status], [status, status])
    })

  it('for a disabled connector runs the validation', async () => {
    const { id } = await create({ enabled: false })
    assert.equal((await call(id)).body.succeeded, true)
  })
})
