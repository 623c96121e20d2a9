import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import * as z from 'zod'
import {
  AcceptedDomain,
  AcceptedDomainInput,
  InboundConnectorInput,
} from '../../../shared/connectors/schema.ts'
import { TraceEntry } from '../../../shared/messages/trace-entry.ts'
import { createTestApi } from '../../support/api-client.ts'
import { outboundSchema } from '../../support/connectors.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { createTestEventApi } from '../../support/event-api.ts'

type Document = {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, { properties?: Record<string, unknown> }> }
}
interface Operation {
  operationId: string
  parameters: { name: string; in: string; required?: boolean }[]
  responses: Record<string, unknown>
  requestBody?: { content: Record<string, { schema: { $ref: string } }> }
}

let database: TestDynamoDb
let api: ReturnType<typeof createTestApi>
let document: Document

before(async () => {
  database = await startDynamoDb()
  api = createTestApi(database.documents)
  document = (await api.call('GET /openapi.json')).body
})
after(() => database.stop())

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )

const routes = [
  'GET /accepted-domains',
  'GET /accepted-domains/{domain}',
  'PUT /accepted-domains/{domain}',
  'DELETE /accepted-domains/{domain}',
  'GET /accepted-domains/{domain}/recipients',
  'PUT /accepted-domains/{domain}/recipients',
  'PATCH /accepted-domains/{domain}/recipients',
  'GET /accepted-domains/{domain}/dns',
  'GET /accepted-domains/{domain}/conformance',
  'GET /health',
  'GET /inbound-connectors',
  'POST /inbound-connectors',
  'POST /inbound-connectors/check',
  'GET /inbound-connectors/{id}',
  'PUT /inbound-connectors/{id}',
  'DELETE /inbound-connectors/{id}',
  'GET /outbound-connectors',
  'POST /outbound-connectors',
  'POST /outbound-connectors/check',
  'GET /outbound-connectors/{id}',
  'PUT /outbound-connectors/{id}',
  'DELETE /outbound-connectors/{id}',
  'POST /outbound-connectors/{id}/validate',
  'POST /inbound-connectors/{id}/retry',
  'POST /inbound-connectors/{id}/validate',
  'POST /outbound-connectors/{id}/retry',
  'POST /outbound-connectors/{id}/return',
  'GET /messages',
  'GET /messages/{id}',
  'GET /messages/{id}/events',
  'POST /message-searches',
  'GET /message-searches/{id}',
  'POST /dry-runs',
  'GET /dry-runs/{id}',
  'GET /reports',
  'GET /reports/{name}',
  'DELETE /addresses/{address}',
  'GET /erasures/{id}',
  'POST /messages/retry',
  'POST /messages/{id}/retry',
  'POST /messages/{id}/release',
  'GET /queues',
  'POST /queues/retry',
  'POST /queues/release',
  'POST /queues/return',
  'POST /queues/drop',
  'POST /messages/{id}/return',
  'GET /certificates/observed',
  'GET /certificates/unknown',
  'GET /certificates/unknown/{id}',
  'POST /certificates/unknown/{id}/dismiss',
  'GET /caller',
  'GET /changes',
  'GET /configuration',
  'GET /dead-letters',
  'POST /dead-letters/redrive',
  'GET /tls-reports',
  'GET /tls-reports/{id}',
  'GET /certificates',
  'GET /openapi.json',
  'PATCH /accepted-domains/{domain}',
  'PATCH /inbound-connectors/{id}',
  'PATCH /outbound-connectors/{id}',
  'POST /explain',
]

/** These routes have another function. */
const isOfEventApi = (path: string) =>
  /^\/(reports|message-searches|dry-runs|addresses|erasures)|\/events$/.test(path)
const callEventApi = createTestEventApi({
  searches: {
    search: {
      start: async () => 'id',
      status: async () => null,
      page: () => Promise.reject(new Error('not called')),
    },
  },
  erasures: { start: async () => {} },
})

describe('the OpenAPI document', () => {
  test('has version 3.1 and exactly the routes of the API', () => {
    assert.match(document.openapi, /^3\.1\./)
    assert.deepEqual(
      operations()
        .map(({ path, method }) => `${method} ${path}`)
        .sort(),
      [...routes].sort(),
    )
  })

  test('lists for each route the status with which the API responds', async () => {
    for (const { path, method, operation } of operations()) {
      const target = `${method} ${path.replace('{id}', '01ARZ3NDEKTSV4RRFFQ69G5FAV').replace('{domain}', 'ours.example').replace('{address}', 'ann@ours.example')}`
      const call = isOfEventApi(path) ? callEventApi : api.call
      const { status } = await call(target, operation.requestBody ? { json: {} } : {})
      assert(String(status) in operation.responses, `${target} answered ${status}`)
      assert(status !== 405 && status < 500, `${target} answered ${status}`)
    }
  })

  test('declares CSV, and the link to its next page, for the lists that have it', () => {
    const withCsv = operations().filter(({ operation }) => JSON.stringify(operation).includes('text/csv'))
    assert.deepEqual(
      withCsv.map(({ method, path }) => `${method} ${path}`),
      ['GET /changes', 'GET /messages', 'GET /reports/{name}'],
    )
    for (const { operation } of withCsv) {
      const { content, headers } = operation.responses[200] as Record<string, Record<string, unknown>>
      assert.deepEqual(Object.keys(content ?? {}), ['application/json', 'text/csv'])
      const hasPages = operation.parameters.some(({ name }) => name === 'cursor')
      assert.deepEqual(Object.keys(headers ?? {}), hasPages ? ['link'] : [])
    }
  })

  test('has distinct operation ids, and contains every schema that it references', () => {
    const ids = operations().map(({ operation }) => operation.operationId)
    assert.equal(new Set(ids).size, ids.length)
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name,
    )
    assert(references.length > 20)
    for (const name of references) assert(name && name in document.components.schemas, `${name} is there`)
  })

  test('declares every path parameter, and If-Match for PUT, PATCH and DELETE only', () => {
    for (const { path, method, operation } of operations()) {
      const declared = operation.parameters
        .filter((parameter) => parameter.in === 'path')
        .map(({ name }) => name)
      assert.deepEqual(
        declared,
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      )
      const ifMatch = operation.parameters.find(({ name }) => name === 'If-Match')
      // An address has no version.
      const hasVersion = ['PUT', 'PATCH', 'DELETE'].includes(method) && path !== '/addresses/{address}'
      assert.equal(ifMatch !== undefined, hasVersion, `${method} ${path}`)
    }
  })

  const schemas = [
    { name: 'InboundConnectorInput', schema: InboundConnectorInput },
    { name: 'OutboundConnectorInput', schema: outboundSchema },
    { name: 'AcceptedDomainInput', schema: AcceptedDomain },
    { name: 'TraceEntry', schema: TraceEntry },
  ]
  for (const { name, schema } of schemas)
    test(`describes every field of ${name} with a type`, () => {
      const { properties = {} } = document.components.schemas[name] ?? {}
      assert.deepEqual(Object.keys(properties).toSorted(), Object.keys(schema.shape).toSorted())
      for (const [field, description] of Object.entries(properties))
        assert(/"(type|anyOf|\$ref)"/.test(JSON.stringify(description)), `${field} has a type`)
    })

  test('gives the items of senderDomains in a response the type string', () => {
    const { properties = {} } = document.components.schemas.InboundConnector ?? {}
    assert.deepEqual((properties.senderDomains as { items: unknown }).items, { type: 'string' })
  })
})

/** The examples of the API design, field by field, with their defaults. */
const agreed = {
  inbound: {
    name: 'Contoso',
    connectorType: 'Partner',
    enabled: true,
    mode: 'Enforce',
    onViolation: 'Bounce',
    senderDomains: ['contoso.example'],
    senderIpAddresses: [],
    requireTls: true,
    minimumTlsVersion: 'TLSv1.2',
    tlsSenderCertificateNames: [],
    certificateAuthorities: [],
    certificateFingerprints: [],
    restrictDomainsToCertificate: false,
    restrictDomainsToIpAddresses: false,
    treatMessagesAsInternal: false,
    comment: '',
  },
  outbound: {
    name: 'Northwind',
    connectorType: 'Partner',
    enabled: true,
    mode: 'Enforce',
    onTlsFailure: 'Defer',
    recipientDomains: ['northwind.example'],
    allAcceptedDomains: false,
    route: 'Mx',
    smartHosts: [],
    tlsSettings: 'DomainValidation',
    tlsDomain: '*.northwind.example',
    certificateAuthorities: [],
    minimumTlsVersion: 'TLSv1.2',
    smtpDaneMode: 'Opportunistic',
    mtaStsMode: 'Opportunistic',
    expirationHours: 24,
    comment: '',
  },
}

/** Fields that older connectors lack. */
const addedSince = {
  inbound: {
    requireClientAuthEku: false,
    messageRateLimit: null,
    revocationCheck: 'SoftFail',
    requireDmarc: false,
    associatedAcceptedDomains: [],
    exchangeOnline: null,
  },
  outbound: { clientCertificate: null, revocationCheck: 'SoftFail' },
}

describe('the examples of the API design', () => {
  test('are accepted unchanged, with defaults for fields added later', () => {
    assert.deepEqual(InboundConnectorInput.parse(agreed.inbound), {
      ...agreed.inbound,
      ...addedSince.inbound,
    })
    assert.deepEqual(outboundSchema.parse(agreed.outbound), {
      ...agreed.outbound,
      ...addedSince.outbound,
    })
    for (const body of [{}, { comment: 'head office' }]) assert(AcceptedDomainInput.safeParse(body).success)
  })

  test('agree with the defaults of a connector that has only the required fields', () => {
    const { name, connectorType, senderDomains } = agreed.inbound
    assert.deepEqual(InboundConnectorInput.parse({ name, connectorType, senderDomains }), {
      ...agreed.inbound,
      ...addedSince.inbound,
    })
    const { recipientDomains } = agreed.outbound
    const plain = { ...agreed.outbound, ...addedSince.outbound, tlsSettings: null, tlsDomain: null }
    assert.deepEqual(outboundSchema.parse({ name: 'Northwind', connectorType, recipientDomains }), plain)
  })
})

describe('docs/api.md', () => {
  const text = readFileSync(new URL('../../../docs/api.md', import.meta.url), 'utf8')
  const heredocs = [...text.matchAll(/POST "\$API(\/[\w-]+)"[^\n]*<<'JSON'\n(.*?)\nJSON/gs)]

  test('has three example connectors, which the API creates', async () => {
    assert.equal(heredocs.length, 3)
    for (const [, path, body = ''] of heredocs) {
      const { status, body: answer } = await api.call(`POST ${path}`, { body })
      assert.equal(status, 201, JSON.stringify(answer))
    }
  })

  test('shows a problem with the fields of a problem response', async () => {
    const problem = JSON.parse(/```json\n(.*?)```/s.exec(text)?.[1] ?? '')
    const answered = await api.call('POST /outbound-connectors', { json: {} })
    assert.deepEqual(Object.keys(problem), Object.keys(answered.body))
    z.array(z.strictObject({ path: z.string(), message: z.string() })).parse(problem.errors)
  })
})
