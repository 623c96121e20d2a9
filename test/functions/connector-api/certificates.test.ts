import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { PublishedCertificatesItem } from '../../../shared/connectors-table/published-certificates.ts'
import { describeCertificates } from '../../../shared/tls/describe-certificates.ts'
import { createTestApi } from '../../support/api-client.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { createPki } from '../../support/pki.ts'

const publicationDate = new Date('2026-11-29T12:00:00.000Z')
const switchDate = new Date('2026-12-06T12:00:00.000Z')
let now = publicationDate.getTime()
let database: TestDynamoDb
let call: ReturnType<typeof createTestApi>['call']

before(async () => {
  database = await startDynamoDb()
  call = createTestApi(database.documents, () => now).call
})
after(() => database.stop())

test('GET /certificates gets 404 with an explanation before the first publication', async () => {
  const { status, body } = await call('GET /certificates')
  assert.equal(status, 404)
  assert.match(body.detail, /^No certificate is published yet/)
})

test('GET /certificates returns the published certificates, each with its state at the time of the request', async () => {
  const pki = await createPki()
  const [first, second] = await Promise.all(
    ['One', 'Two'].map((commonName) => pki.issue({ names: ['mx.ours.example'], commonName })),
  )
  assert.ok(first && second)
  const expected = describeCertificates(
    {
      certificate: first.cert,
      next: { certificate: second.cert, servedFrom: switchDate.toISOString() },
      deprecated: [],
    },
    { hostname: 'mx.ours.example', now: publicationDate },
  )
  await new PublishedCertificatesItem(database.documents, database.connectorsTable).write(expected, {
    revision: 0,
  })
  const before = await call('GET /certificates')
  assert.equal(before.status, 200)
  assert.deepEqual(before.body, expected)
  now = switchDate.getTime()
  const { body } = await call('GET /certificates')
  assert.deepEqual(
    body.certificates.map(({ state, subject }: Record<string, string>) => [state, subject]),
    [
      ['Current', 'CN=Two'],
      ['Deprecated', 'CN=One'],
    ],
  )
})
