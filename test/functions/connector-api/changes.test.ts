import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type ApiResult, createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

let database: TestDynamoDb
let api: ReturnType<typeof createTestApi>

before(async () => {
  database = await startDynamoDb()
  api = createTestApi(database.documents)
})
after(() => database.stop())

let count = 0
const inbound = { connectorType: 'Partner', senderDomains: ['contoso.example'] }
const outbound = {
  connectorType: 'Partner',
  recipientDomains: ['northwind.example'],
  tlsSettings: 'EncryptionOnly',
}
const create = (path: string, fields: object) =>
  api.call(`POST ${path}`, { json: { name: `Connector ${++count}`, ...fields } })
const faults = ({ status, body }: ApiResult) => [
  status,
  ...(body.errors ?? []).map(({ path, message }: { path: string; message: string }) => `${path}: ${message}`),
]

const resources = [
  { path: '/inbound-connectors', create: () => create('/inbound-connectors', inbound) },
  { path: '/outbound-connectors', create: () => create('/outbound-connectors', outbound) },
  {
    path: '/accepted-domains',
    create: () => api.call(`PUT /accepted-domains/d${++count}.example`, { json: {} }),
  },
]

for (const { path, create: createResource } of resources)
  describe(`a client that changes what it read from ${path}`, () => {
    const readNew = async () => {
      const { headers } = await createResource()
      const { body, headers: read } = await api.call(`GET ${headers.location}`)
      return { location: headers.location ?? '', body, ifMatch: { 'if-match': read.etag ?? '' } }
    }

    test('can send it back with PUT', async () => {
      const { location, body, ifMatch } = await readNew()
      const put = await api.call(`PUT ${location}`, { json: { ...body, comment: 'new' }, headers: ifMatch })
      assert.deepEqual([put.status, put.body.comment, put.body.version], [200, 'new', 2], JSON.stringify(put))
      assert.equal(put.body.createdAt, body.createdAt)
    })

    test('gets 422 for each changed read-only field', async () => {
      const { location, body, ifMatch } = await readNew()
      const changes = { version: 7, createdAt: '2020-01-01T00:00:00.000Z' }
      const message = 'is read-only: leave it out, or send it as GET returned it'
      for (const method of ['PUT', 'PATCH']) {
        const json = method === 'PUT' ? { ...body, ...changes } : changes
        const answer = await api.call(`${method} ${location}`, { json, headers: ifMatch })
        assert.deepEqual(faults(answer).toSorted(), [422, `createdAt: ${message}`, `version: ${message}`])
      }
      assert.deepEqual((await api.call(`GET ${location}`)).body, body, 'nothing is written')
    })

    test('keeps the versions when it changes nothing', async () => {
      const { location, body, ifMatch } = await readNew()
      const configuration = (await api.call('GET /configuration')).body
      const put = await api.call(`PUT ${location}`, { json: body, headers: ifMatch })
      const patch = await api.call(`PATCH ${location}`, { json: {}, headers: ifMatch })
      assert.deepEqual([put.status, put.headers.etag], [200, ifMatch['if-match']])
      assert.deepEqual([patch.status, patch.headers.etag], [200, ifMatch['if-match']])
      assert.deepEqual((await api.call('GET /configuration')).body, configuration)
    })

    test('gets 412 when it read an older version', async () => {
      const { location, body, ifMatch } = await readNew()
      await api.call(`PATCH ${location}`, { json: { comment: 'other' }, headers: ifMatch })
      const put = await api.call(`PUT ${location}`, { json: body, headers: ifMatch })
      const patch = await api.call(`PATCH ${location}`, { json: { comment: 'late' }, headers: ifMatch })
      assert.deepEqual([put.status, patch.status], [412, 412])
    })

    test('can change one field with PATCH, and null gives the field its default', async () => {
      const { location, body, ifMatch } = await readNew()
      const merge = { ...ifMatch, 'content-type': 'application/merge-patch+json' }
      const patched = await api.call(`PATCH ${location}`, { json: { comment: 'new' }, headers: merge })
      assert.deepEqual([patched.status, patched.body.comment, patched.headers.etag], [200, 'new', '"2"'])
      const reset = await api.call(`PATCH ${location}`, {
        json: { comment: null },
        headers: { 'if-match': '*' },
      })
      const { updatedAt: _, ...unchanged } = { ...body, version: 3 }
      assert.deepEqual({ ...reset.body, ...unchanged }, reset.body)
    })

    test('can be sent back as it was read, with PUT and with PATCH', async () => {
      const { location } = await readNew()
      for (const method of ['PUT', 'PATCH']) {
        const { body, headers } = await api.call(`GET ${location}`)
        const sent = await api.call(`${method} ${location}`, {
          json: body,
          headers: { 'if-match': headers.etag ?? '' },
        })
        assert.equal(sent.status, 200, JSON.stringify(sent.body))
      }
    })

    const rows: { name: string; json?: unknown; headers?: Record<string, string>; answer: unknown[] }[] = [
      { name: 'an unknown field', json: { colour: null }, answer: [422, 'colour: is not a known field'] },
      {
        name: 'the name of a property that every object has',
        json: { constructor: null },
        answer: [422, 'constructor: is not a known field'],
      },
      { name: 'a list', json: [], answer: [422, ': must be an object, not a list'] },
      {
        name: 'several faults',
        json: { comment: 7, colour: 1, version: 9 },
        answer: [
          422,
          'colour: is not a known field',
          'version: is read-only: leave it out, or send it as GET returned it',
          'comment: must be a string, not a number',
        ],
      },
      { name: 'no body', answer: [400] },
      {
        name: 'an invalid value',
        json: { comment: 7 },
        answer: [422, 'comment: must be a string, not a number'],
      },
      { name: 'no If-Match', json: { comment: '' }, headers: {}, answer: [428] },
    ]
    for (const { name, json, headers, answer } of rows)
      test(`gets ${answer[0]} for a PATCH with ${name}`, async () => {
        const { location, ifMatch } = await readNew()
        const request = { ...(json !== undefined && { json }), headers: headers ?? ifMatch }
        assert.deepEqual(faults(await api.call(`PATCH ${location}`, request)), answer)
      })
  })

describe('PATCH of a connector', () => {
  test('refuses what the fields together do not allow', async () => {
    const { headers } = await create('/inbound-connectors', inbound)
    const json = { restrictDomainsToCertificate: true }
    const answer = await api.call(`PATCH ${headers.location}`, { json, headers: { 'if-match': '*' } })
    assert.deepEqual(faults(answer), [
      422,
      'restrictDomainsToCertificate: needs tlsSenderCertificateNames or certificateFingerprints',
    ])
  })

  test('refuses null for a field without a default', async () => {
    const { headers } = await create('/inbound-connectors', inbound)
    const answer = await api.call(`PATCH ${headers.location}`, {
      json: { senderDomains: null },
      headers: { 'if-match': '*' },
    })
    assert.deepEqual(faults(answer), [422, 'senderDomains: is required'])
  })

  test('of an unknown connector gets 404', async () => {
    const answer = await api.call('PATCH /inbound-connectors/x', { json: {}, headers: { 'if-match': '*' } })
    assert.equal(answer.status, 404)
  })

  test('applies only one of two concurrent patches', async () => {
    const { headers } = await create('/inbound-connectors', inbound)
    const patches = ['one', 'two'].map((comment) =>
      api.call(`PATCH ${headers.location}`, { json: { comment }, headers: { 'if-match': '"1"' } }),
    )
    assert.deepEqual((await Promise.all(patches)).map(({ status }) => status).toSorted(), [200, 412])
  })
})

describe('an outbound connector that is written without a route', () => {
  const withDefault = (defaultRoute: 'Mx' | 'Ses', deliversInVpc = true) =>
    createTestApi(database.documents, Date.now, [], { defaultRoute, deliversInVpc })
  const write = (defaultRoute: 'Mx' | 'Ses', fields: object, deliversInVpc?: boolean) =>
    withDefault(defaultRoute, deliversInVpc).call('POST /outbound-connectors', {
      json: { name: `Connector ${++count}`, ...outbound, ...fields },
    })

  for (const defaultRoute of ['Mx', 'Ses'] as const)
    test(`is stored with the deployment's default, ${defaultRoute}`, async () => {
      const { status, headers } = await write(defaultRoute, {})
      assert.equal(status, 201)
      const other = withDefault(defaultRoute === 'Mx' ? 'Ses' : 'Mx')
      const { body } = await other.call(`GET ${headers.location}`)
      assert.equal(body.route, defaultRoute)
    })

  const note = 'if route is missing, it is Ses, the default of this deployment'
  const refusals = [
    { fields: { tlsSettings: 'CertificateValidation' }, at: 'tlsSettings' },
    { fields: { smartHosts: [{ host: 'mail.example' }] }, at: 'smartHosts' },
    { fields: { clientCertificate: 'bank' }, at: 'clientCertificate' },
    { fields: { minimumTlsVersion: 'TLSv1.3' }, at: 'minimumTlsVersion' },
  ]
  for (const { fields, at } of refusals)
    test(`is refused with ${at} that Amazon SES does not have, and the refusal names the route`, async () => {
      const answer = await write('Ses', fields)
      assert.equal(answer.status, 422)
      assert.equal(answer.body.errors.length, 1)
      const [{ path, message }] = answer.body.errors
      assert.equal(path, at)
      assert.ok(message.endsWith(`; ${note}`), message)
    })

  const port25 = { route: 'SmartHosts', smartHosts: [{ host: 'mail.example' }] }
  const warnings = [
    { name: 'route Mx outside the VPC', fields: { route: 'Mx' }, inVpc: false, isWarned: true },
    { name: 'a smart host on port 25 outside the VPC', fields: port25, inVpc: false, isWarned: true },
    {
      name: 'a smart host on port 587 outside the VPC',
      fields: { ...port25, smartHosts: [{ host: 'mail.example', port: 587 }] },
      inVpc: false,
      isWarned: false,
    },
    { name: 'route Ses outside the VPC', fields: { route: 'Ses' }, inVpc: false, isWarned: false },
    { name: 'route Mx in the VPC', fields: { route: 'Mx' }, inVpc: true, isWarned: false },
    { name: 'a smart host on port 25 in the VPC', fields: port25, inVpc: true, isWarned: false },
  ]
  for (const { name, fields, inVpc, isWarned } of warnings)
    test(`gets ${isWarned ? 'a' : 'no'} warning that mail cannot leave, with ${name}`, async () => {
      const { body } = await write('Ses', fields, inVpc)
      const isAboutRoute = ({ path, message }: { path: string; message: string }) =>
        path === 'route' && message.startsWith('mail cannot leave')
      assert.equal(body.warnings.some(isAboutRoute), isWarned, JSON.stringify(body.warnings))
    })
})

for (const validatesDnssec of [true, false])
  test(`a connector with mandatory DANE gets ${validatesDnssec ? 'no' : 'a'} warning about a resolver that ${validatesDnssec ? 'may validate' : 'does not validate'} DNSSEC`, async () => {
    const { call } = createTestApi(database.documents, Date.now, [], { validatesDnssec })
    const { body } = await call('POST /outbound-connectors', {
      json: { name: `Connector ${++count}`, ...outbound, route: 'Mx', smtpDaneMode: 'Mandatory' },
    })
    const warnings = body.warnings.filter(({ path }: { path: string }) => path === 'smtpDaneMode')
    assert.equal(warnings.length, validatesDnssec ? 0 : 1)
    assert.equal((await call('GET /configuration')).body.validatesDnssec, validatesDnssec)
  })

describe('GET /configuration', () => {
  test('returns the settings on which connectors depend', async () => {
    const { call } = createTestApi(database.documents, Date.now, [], { deliversInVpc: false })
    const { version: _, ...settings } = (await call('GET /configuration')).body
    assert.deepEqual(settings, { defaultRoute: 'Mx', deliversInVpc: false, summaries: [] })
  })

  test('has another version after each write, and the same version after a refused write', async () => {
    const version = async () => (await api.call('GET /configuration')).body.version
    const versions = [await version()]
    const { headers } = await create('/inbound-connectors', inbound)
    versions.push(await version())
    const any = { 'if-match': '*' }
    await api.call(`PATCH ${headers.location}`, { json: { comment: 'new' }, headers: any })
    versions.push(await version())
    await api.call(`DELETE ${headers.location}`, { headers: any })
    versions.push(await version())
    assert.equal(new Set(versions).size, 4)
    await api.call('POST /inbound-connectors', { json: {} })
    await api.call(`DELETE ${headers.location}`, { headers: any })
    assert.equal(await version(), versions[3])
  })
})
