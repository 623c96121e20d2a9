/** The warnings about a connector before it is saved: those that saving it returns. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type DynamoDBDocumentClient, QueryCommand } from '@aws-sdk/lib-dynamodb'
import type { Warning } from '../../../shared/policy/warnings/warning.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'

let database: TestDynamoDb
let api: ReturnType<typeof createTestApi>
/** Ids of the connectors that the others are compared with. */
const ids: Record<string, string> = {}

type Direction = 'inbound' | 'outbound'
type Fields = Record<string, unknown>

const anyVersion = { 'if-match': '*' }
const inboundBody = { name: 'From Contoso', connectorType: 'Partner', senderDomains: ['contoso.example'] }
const outboundBody = { name: 'To Contoso', connectorType: 'Partner', recipientDomains: ['contoso.example'] }
const bodies = { inbound: inboundBody, outbound: outboundBody }

before(async () => {
  database = await startDynamoDb()
  api = createTestApi(database.documents, Date.now, [], { deliversInVpc: false, validatesDnssec: false })
  await api.call('PUT /accepted-domains/ours.example', { json: {} })
  const existing: [Direction, Fields][] = [
    ['inbound', { ...inboundBody, name: 'From every Contoso', senderDomains: ['*.contoso.example'] }],
    ['inbound', { ...inboundBody, name: 'From Fabrikam', senderDomains: ['fabrikam.example'] }],
    ['outbound', { ...outboundBody, name: 'To every Contoso', recipientDomains: ['*.contoso.example'] }],
    ['outbound', { ...outboundBody, name: 'To Fabrikam', recipientDomains: ['fabrikam.example'] }],
  ]
  for (const [direction, json] of existing) {
    const { body } = await api.call(`POST /${direction}-connectors`, { json })
    ids[body.name] = body.id
  }
})
after(() => database.stop())

const check = (direction: Direction, json: Fields, id?: string) =>
  api.call(`POST /${direction}-connectors/check`, { json: { ...json, ...(id !== undefined && { id }) } })
const remove = (direction: Direction, id: string) =>
  api.call(`DELETE /${direction}-connectors/${id}`, { headers: anyVersion })
const pathsOf = ({ body }: { body: { warnings: Warning[] } }) => body.warnings.map(({ path }) => path)

/** Everything that a check could change. */
const readAll = async () => {
  const paths = ['/inbound-connectors', '/outbound-connectors', '/changes', '/configuration']
  return Promise.all(paths.map(async (path) => (await api.call(`GET ${path}`)).body))
}

interface Row {
  name: string
  direction: Direction
  fields: Fields
  /** Paths of warnings that must be among them. */
  paths: string[]
}

const rows: Row[] = [
  { name: 'an intended overlap', direction: 'inbound', fields: {}, paths: ['senderDomains[0]'] },
  {
    name: 'a wide range',
    direction: 'inbound',
    fields: { senderIpAddresses: ['10.0.0.0/8'], restrictDomainsToIpAddresses: true },
    paths: ['senderIpAddresses[0]'],
  },
  {
    name: 'addresses that restrict nothing',
    direction: 'inbound',
    fields: { senderIpAddresses: ['0.0.0.0/0'] },
    paths: ['senderIpAddresses', 'senderIpAddresses[0]'],
  },
  { name: 'no requirement', direction: 'inbound', fields: { requireTls: false }, paths: ['requireTls'] },
  { name: 'ReportOnly', direction: 'inbound', fields: { mode: 'ReportOnly' }, paths: ['mode'] },
  { name: 'a disabled connector', direction: 'inbound', fields: { enabled: false }, paths: ['enabled'] },
  {
    name: 'a scope that is not accepted',
    direction: 'inbound',
    fields: { associatedAcceptedDomains: ['other.example'] },
    paths: ['associatedAcceptedDomains[0]'],
  },
  {
    name: 'the domain of another connector',
    direction: 'inbound',
    fields: { senderDomains: ['fabrikam.example'] },
    paths: ['senderDomains[0]'],
  },
  {
    name: 'opportunistic TLS, and a closed port',
    direction: 'outbound',
    fields: {},
    paths: ['tlsSettings', 'route', 'recipientDomains[0]'],
  },
  {
    name: 'an overlap that requires more',
    direction: 'outbound',
    fields: { tlsSettings: 'CertificateValidation' },
    paths: ['recipientDomains[0]'],
  },
  {
    name: 'mandatory DANE without DNSSEC',
    direction: 'outbound',
    fields: { smtpDaneMode: 'Mandatory' },
    paths: ['smtpDaneMode'],
  },
  {
    name: 'a partner without the other direction',
    direction: 'outbound',
    fields: { recipientDomains: ['adatum.example'], tlsSettings: 'EncryptionOnly' },
    paths: ['recipientDomains'],
  },
]

describe('a check of a connector', () => {
  for (const { name, direction, fields, paths } of rows)
    test(`returns the warnings that saving returns: ${direction}, ${name}`, async () => {
      const json = { ...bodies[direction], ...fields }
      const before = await readAll()
      const checked = await check(direction, json)
      assert.equal(checked.status, 200)
      assert.deepEqual(await readAll(), before, 'nothing is written')
      for (const path of paths) assert.ok(pathsOf(checked).includes(path), `${path}: ${pathsOf(checked)}`)

      const { body: created } = await api.call(`POST /${direction}-connectors`, { json })
      assert.deepEqual(checked.body, { warnings: created.warnings })
      const again = await check(direction, json, created.id)
      assert.deepEqual(again.body, checked.body, 'it is not compared with itself')
      await remove(direction, created.id)

      const { body: replaced } = await api.call(`POST /${direction}-connectors`, {
        json: { ...bodies[direction], name: 'Replaced' },
      })
      const { body: replacing } = await check(direction, json, replaced.id)
      const { body: written } = await api.call(`PUT /${direction}-connectors/${replaced.id}`, {
        json,
        headers: anyVersion,
      })
      assert.deepEqual(replacing, { warnings: written.warnings })
      await remove(direction, replaced.id)
    })

  test('compares a connector without its id with the stored one of the same name', async () => {
    const json = { ...inboundBody, name: 'From Fabrikam', senderDomains: ['fabrikam.example'] }
    assert.ok(pathsOf(await check('inbound', json)).includes('senderDomains[0]'))
    assert.ok(!pathsOf(await check('inbound', json, ids['From Fabrikam'])).includes('senderDomains[0]'))
  })

  test('warns that the other connectors were not compared when they cannot be read', async () => {
    const unreadable = {
      send: (command: object) =>
        command instanceof QueryCommand
          ? Promise.reject(new Error('ProvisionedThroughputExceededException'))
          : database.documents.send(command as never),
    } as unknown as DynamoDBDocumentClient
    const { call } = createTestApi(unreadable)
    const { status, body } = await call('POST /inbound-connectors/check', { json: inboundBody })
    assert.equal(status, 200)
    assert.equal(body.warnings.filter(({ message }: Warning) => message.includes('not compared')).length, 1)
  })

  const faults: { name: string; request: object; detail?: RegExp }[] = [
    { name: 'no field', request: { json: {} } },
    { name: 'an unknown field', request: { json: { ...inboundBody, unknown: 1 } } },
    { name: 'a field of an invalid value', request: { json: { ...inboundBody, mode: 'Maybe' } } },
    {
      name: 'fields that contradict each other',
      request: { json: { ...inboundBody, requireTls: false, tlsSenderCertificateNames: ['mx.a.example'] } },
    },
    {
      name: 'an open relay',
      request: { json: { ...inboundBody, connectorType: 'OnPremises', senderIpAddresses: ['0.0.0.0/0'] } },
    },
    {
      name: 'more than an item holds',
      request: {
        json: {
          ...inboundBody,
          senderDomains: Array.from({ length: 1000 }, (_, index) => longDomain(`a${index}`)),
          associatedAcceptedDomains: Array.from({ length: 1000 }, (_, index) => longDomain(`b${index}`)),
        },
      },
      detail: /too large to be stored/,
    },
    { name: 'no body', request: {} },
    { name: 'invalid JSON', request: { body: '{' } },
    { name: 'another content type', request: { body: '{}', headers: { 'content-type': 'text/plain' } } },
  ]
  for (const { name, request, detail = /./ } of faults)
    test(`has the faults of POST for ${name}`, async () => {
      const saved = await api.call('POST /inbound-connectors', request)
      const checked = await api.call('POST /inbound-connectors/check', request)
      assert.ok(saved.status >= 400 && saved.status < 500, `${saved.status}`)
      assert.deepEqual([checked.status, checked.body.errors], [saved.status, saved.body.errors])
      assert.equal(checked.body.detail, saved.body.detail)
      assert.match(checked.body.detail, detail)
    })

  test('refuses an id that is not of a connector of its direction', async () => {
    const invalid = await check('inbound', inboundBody, 'check')
    assert.deepEqual(
      [invalid.status, invalid.body.errors],
      [422, [{ path: 'id', message: 'is not the id of a connector' }]],
    )
    assert.equal((await check('inbound', inboundBody, '01ARZ3NDEKTSV4RRFFQ69G5FAV')).status, 404)
    assert.equal((await check('inbound', inboundBody, ids['To Fabrikam'])).status, 404)
  })

  for (const direction of ['inbound', 'outbound'] as const)
    test(`is no connector with the id check: ${direction}`, async () => {
      const headers = anyVersion
      const json = bodies[direction]
      assert.equal((await api.call(`GET /${direction}-connectors/check`)).status, 404)
      assert.equal((await api.call(`PUT /${direction}-connectors/check`, { json, headers })).status, 404)
      assert.equal(
        (await api.call(`PATCH /${direction}-connectors/check`, { json: {}, headers })).status,
        404,
      )
      assert.equal((await api.call(`DELETE /${direction}-connectors/check`, { headers })).status, 404)
    })
})

/** A domain of 250 octets. */
function longDomain(first: string): string {
  const label = 'x'.repeat(60)
  return `${first}.${label}.${label}.${label}.${'y'.repeat(50)}.example`
}
