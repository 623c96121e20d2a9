/** watch-expiry as AWS invokes it: its notices and metrics about observed and published certificates. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { InboundConnectorInput } from '../../../shared/connectors/schema.ts'
import { PublishedCertificatesItem } from '../../../shared/connectors-table/published-certificates.ts'
import { ConnectorRepository } from '../../../shared/connectors-table/repository.ts'
import { describeCertificates } from '../../../shared/tls/describe-certificates.ts'
import { recordOfPem } from '../../../shared/tls/observed/certificate-record.ts'
import type { ObservedEndpoint } from '../../../shared/tls/observed/observation.ts'
import { ObservedList } from '../../../shared/transport/observed-list.ts'
import { ObservedTable } from '../../../shared/transport/observed-table.ts'
import { queryError, snsPublished } from '../../support/aws-answers.ts'
import { outboundSchema } from '../../support/connectors.ts'
import { startDynamoDb, type TestDynamoDb } from '../../support/dynamodb.ts'
import { type FakeQueryService, startQueryService } from '../../support/fake-query-service.ts'
import { setEnvironment } from '../../support/lambda.ts'
import { createPki, daysFromNow, fingerprintOf, type Identity, type Pki } from '../../support/pki.ts'

let database: TestDynamoDb
let repository: ConnectorRepository
let pki: Pki
let handler: () => Promise<Record<string, number>>
let lines: string[] = []

let topic: FakeQueryService
const publish: FakeQueryService['answer'] = () => ({ status: 200, body: snsPublished('n1') })

before(async () => {
  database = await startDynamoDb()
  pki = await createPki()
  repository = new ConnectorRepository(database.documents, database.connectorsTable)
  topic = await startQueryService(publish)
  setEnvironment({
    AWS_MAX_ATTEMPTS: '1',
    AWS_ENDPOINT_URL_DYNAMODB: database.endpoint,
    AWS_ENDPOINT_URL_SNS: topic.url,
    CONNECTORS_TABLE: database.connectorsTable,
    TRANSPORT_TABLE: database.transportTable,
    NOTICES_TOPIC_ARN: 'arn:aws:sns:eu-central-1:123456789012:notices',
    POWERTOOLS_DEV: 'true',
    POWERTOOLS_METRICS_DISABLED: 'false',
  })
  handler = (await import('../../../functions/watch-expiry/handler.ts')).handler as never
})
after(async () => {
  await topic.stop()
  await database.stop()
})

async function connectorNamed(name: string): Promise<{ id: string; name: string }> {
  const input = outboundSchema.parse({
    name,
    connectorType: 'Partner',
    recipientDomains: [`${name.toLowerCase()}.example`],
    tlsSettings: 'CertificateValidation',
  })
  const saved = await repository.outbound.create(input, 'administrator')
  assert.equal(saved.kind, 'Saved')
  return { id: saved.value.id, name }
}

/** Records a certificate as a delivery does. */
async function recordObservation(connector: { id: string; name: string }, { cert }: Identity): Promise<void> {
  const certificate = recordOfPem(cert)
  assert.ok(certificate)
  const domain = `${connector.name.toLowerCase()}.example`
  const endpoint: ObservedEndpoint = { kind: 'PartnerServer', connector, domain, host: `mx.${domain}` }
  const table = new ObservedTable(database.documents, database.transportTable)
  const at = new Date()
  await table.record({ endpoint, certificate, verifiedBy: 'Connector', at }, at, AbortSignal.timeout(5_000))
}

/** Runs the function and collects its notices and metrics. */
async function run(work: () => Promise<unknown> = handler) {
  topic.requests.splice(0)
  lines = []
  const { log } = console
  console.log = (line: string) => lines.push(line)
  try {
    const outcome = await work().catch((error: Error) => error.message)
    return { outcome, subjects: topic.requests.map((request) => request.get('Subject') ?? '') }
  } finally {
    console.log = log
  }
}

/** Returns the metric's values by the dimension `connector`, and the value without that dimension as `all`. */
function metricValues(name: string): Record<string, number> {
  const metricLines = lines.filter((line) => line.includes(`"${name}"`)).map((line) => JSON.parse(line))
  return Object.fromEntries(metricLines.map((line) => [line.connector ?? 'all', line[name]]))
}

const expiringIn = (days: number) =>
  pki.issue({ names: ['mx.example'], notBefore: daysFromNow(-300), notAfter: daysFromNow(days + 0.5) })

test("a partner's certificate that expires in 10 days causes one notice in two runs, and the metric PartnerCertificateDaysLeft in each", async () => {
  const [bank, clinic] = [await connectorNamed('Bank'), await connectorNamed('Clinic')]
  await recordObservation(bank, await expiringIn(10))
  await recordObservation(clinic, await expiringIn(90))
  const first = await run()
  assert.deepEqual(first.subjects, ['mailflow: 10 days left: certificate of connector "Bank"'])
  assert.deepEqual(metricValues('PartnerCertificateDaysLeft'), { all: 10, Bank: 10, Clinic: 90 })
  const second = await run()
  assert.deepEqual(second.subjects, [])
  assert.deepEqual(second.outcome, {
    locations: 2,
    published: 0,
    alreadyPublished: 1,
    failed: 0,
    leftToNextRun: 0,
  })
  assert.deepEqual(metricValues('PartnerCertificateDaysLeft'), { all: 10, Bank: 10, Clinic: 90 })
})

test('three concurrent runs of watch-expiry publish one notice of a certificate', async () => {
  await recordObservation(await connectorNamed('Shop'), await expiringIn(2))
  const { subjects } = await run(() => Promise.all([handler(), handler(), handler()]))
  assert.deepEqual(subjects, ['mailflow: 2 days left: certificate of connector "Shop"'])
})

test('a run of watch-expiry rejects, so that Lambda repeats it, when the topic does not accept a notice', async () => {
  await recordObservation(await connectorNamed('Court'), await expiringIn(20))
  topic.answer = () => ({ status: 403, body: queryError('AuthorizationError') })
  const { outcome, subjects } = await run()
  topic.answer = publish
  assert.deepEqual([outcome, subjects.length], ['1 notices could not be published', 1])
  assert.deepEqual(metricValues('NoticesFailed'), { all: 1 })
})

test('a certificate of the ingress that expires in 12 days causes a notice and a metric only when no successor is announced', async () => {
  const item = new PublishedCertificatesItem(database.documents, database.connectorsTable)
  const current = await expiringIn(12)
  const publish = async (next: { certificate: string; servedFrom: string } | null) =>
    item.write(
      describeCertificates(
        { certificate: current.cert, next, deprecated: [] },
        { hostname: 'mx.ours.example', now: new Date() },
      ),
      await item.readRevision(),
    )
  const successor = await expiringIn(100)
  await publish({ certificate: successor.cert, servedFrom: daysFromNow(5).toISOString() })
  assert.ok(!(await run()).subjects.some((subject) => subject.includes('ingress')))
  assert.deepEqual(metricValues('OwnCertificateDaysLeft'), {})
  await publish(null)
  const { subjects } = await run()
  assert.ok(
    subjects.includes('mailflow: 12 days left: certificate of ingress mx.ours.example'),
    subjects.join(),
  )
  assert.deepEqual(metricValues('OwnCertificateDaysLeft'), { all: 12 })
  const observations = await Array.fromAsync(
    new ObservedList(database.documents, database.transportTable).all(new Date()),
  )
  const own = observations.filter(({ kind }) => kind === 'Own')
  assert.deepEqual(
    own.map(({ host, certificates }) => [host, certificates.map(({ fingerprint256 }) => fingerprint256)]),
    [['mx.ours.example', [fingerprintOf(current)]]],
  )
})

test('the metric OpenRelays counts the stored connectors that make the gateway an open relay', async () => {
  await run()
  assert.deepEqual(metricValues('OpenRelays'), { all: 0 })
  const input = InboundConnectorInput.parse({
    name: 'Open relay',
    connectorType: 'OnPremises',
    senderDomains: ['*'],
    senderIpAddresses: ['192.0.2.1'],
  })
  const saved = await repository.inbound.create(
    { ...input, senderIpAddresses: ['0.0.0.0/1', '128.0.0.0/1'] },
    'administrator',
  )
  assert.equal(saved.kind, 'Saved')
  await run()
  assert.deepEqual(metricValues('OpenRelays'), { all: 1 })
  const shared = await repository.inbound.create(
    {
      ...input,
      name: 'Shared',
      senderIpAddresses: [],
      tlsSenderCertificateNames: ['mail.protection.outlook.com'],
    },
    'administrator',
  )
  assert.equal(shared.kind, 'Saved')
  await run()
  assert.deepEqual(metricValues('OpenRelays'), { all: 2 })
})
