import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Logger } from '@aws-lambda-powertools/logger'
import { type DynamoDBDocumentClient, QueryCommand } from '@aws-sdk/lib-dynamodb'
import { createWarningFinder } from '../../../functions/connector-api/connector-warnings.ts'
import type { Warning } from '../../../shared/policy/warnings/warning.ts'
import { outboundWarnings } from '../../../shared/policy/warnings/warnings.ts'
import { createTestApi } from '../../support/api-client.ts'
import { outboundInput } from '../../support/connectors.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { outbound } from '../../support/fixtures.ts'

let database: TestDynamoDb
before(async () => {
  database = await startDynamoDb()
})
after(() => database.stop())

const inboundBody = { name: 'From Northwind', connectorType: 'Partner', senderDomains: ['northwind.example'] }
const outboundBody = {
  name: 'To Northwind',
  connectorType: 'Partner',
  recipientDomains: ['northwind.example'],
  tlsSettings: 'CertificateValidation',
}
const notCompared = (warnings: Warning[]) =>
  warnings.filter(({ path, message }) => path === '' && message.includes('not compared'))

describe('a write of a connector', () => {
  test('returns warnings from the comparison with the other current connectors', async () => {
    const { call } = createTestApi(database.documents)
    const { body: alone } = await call('POST /outbound-connectors', { json: outboundBody })
    assert.deepEqual(alone.warnings, [
      {
        path: 'recipientDomains',
        message:
          'the other direction, mail from northwind.example, is accepted in the clear: there is no inbound Partner connector for it',
      },
    ])
    const { body: pair } = await call('POST /inbound-connectors', { json: inboundBody })
    assert.deepEqual(pair.warnings, [])
    const headers = { 'if-match': '"1"' }
    const again = await call(`PUT /outbound-connectors/${alone.id}`, { json: outboundBody, headers })
    assert.deepEqual([again.status, again.body.version, again.body.warnings], [200, 1, []])
  })

  test('succeeds with a warning when the other connectors cannot be read', async () => {
    const fault = new Error('ProvisionedThroughputExceededException')
    const unreadable = {
      send: (command: object) =>
        command instanceof QueryCommand ? Promise.reject(fault) : database.documents.send(command as never),
    } as unknown as DynamoDBDocumentClient
    const { call, logged } = createTestApi(unreadable)
    const { status, body } = await call('POST /outbound-connectors', {
      json: { ...outboundBody, name: 'Unread', tlsSettings: null },
    })
    assert.equal(status, 201)
    assert.equal(notCompared(body.warnings).length, 1)
    assert.ok(
      body.warnings.some(({ path }: Warning) => path === 'tlsSettings'),
      'its own warnings are returned',
    )
    assert.ok(logged.some(({ error }) => error === fault))
    assert.equal((await call(`GET /outbound-connectors/${body.id}`)).status, 200, 'it is saved')
  })
})

describe('a GET of a connector', () => {
  test('returns the warnings as they are now, and the list without overlaps that weaken nothing', async () => {
    const { call } = createTestApi(database.documents)
    const partner = (name: string, domain: string) => ({
      json: { name, connectorType: 'Partner', senderDomains: [domain], requireTls: true },
    })
    const { body: whole } = await call('POST /inbound-connectors', partner('Adatum', 'adatum.example'))
    const { body: part } = await call('POST /inbound-connectors', partner('Part', 'mail.adatum.example'))
    const { body: wide } = await call('POST /inbound-connectors', partner('Wide', '*.adatum.example'))
    const { body: read } = await call(`GET /inbound-connectors/${part.id}`)
    assert.ok(read.warnings.length > part.warnings.length, 'the later connector overlaps')
    const { body: list } = await call('GET /inbound-connectors?limit=200')
    const listed = (id: string) => list.items.find((item: { id: string }) => item.id === id).warnings
    assert.deepEqual(listed(whole.id), whole.warnings)
    assert.ok(listed(part.id).length < read.warnings.length)
    assert.ok(listed(wide.id).every(({ path }: Warning) => path === 'senderDomains'))
  })

  test('may be sent back with its warnings', async () => {
    const { call } = createTestApi(database.documents)
    const { body: created } = await call('POST /outbound-connectors', {
      json: { ...outboundBody, name: 'To Wingtip', recipientDomains: ['wingtip.example'] },
    })
    const { body, headers } = await call(`GET /outbound-connectors/${created.id}`)
    assert.equal(body.warnings.length, 1)
    for (const warnings of [body.warnings, []])
      assert.equal(
        (
          await call(`PUT /outbound-connectors/${created.id}`, {
            json: { ...body, warnings },
            headers: { 'if-match': String(headers.etag) },
          })
        ).status,
        200,
      )
  })
})

test('the comparison with other connectors times out after five seconds and becomes a warning', async ({
  mock,
}) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  const errors: unknown[] = []
  const logger = { error: (_: string, error: unknown) => errors.push(error) } as unknown as Logger
  const foundWarnings = createWarningFinder(outboundWarnings, {
    snapshot: () => new Promise(() => {}),
    logger,
    now: () => 0,
  })
  const warnings = foundWarnings([outbound(outboundInput())], 'Everything').then(([first = []]) => first)
  mock.timers.tick(4_999)
  assert.deepEqual(errors, [])
  mock.timers.tick(1)
  assert.equal(notCompared(await warnings).length, 1)
  assert.match(String(errors[0]), /not read within 5000 ms/)
})
