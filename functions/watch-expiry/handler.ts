/** Publishes notices of certificates that expire, before mail stops. A schedule invokes it daily. */
import { Logger } from '@aws-lambda-powertools/logger'
import { MetricUnit } from '@aws-lambda-powertools/metrics'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { SNSClient } from '@aws-sdk/client-sns'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { PublishedCertificatesItem } from '../../shared/connectors-table/published-certificates.ts'
import { ConnectorRepository } from '../../shared/connectors-table/repository.ts'
import { ExpiryWatchEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { dimensionValue, Metric } from '../../shared/contract/metrics.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { unitMetrics } from '../../shared/lambda/unit-metrics.ts'
import { Claims } from '../../shared/messages/claims.ts'
import type { ExpiryGauge, ExpiryNotice } from '../../shared/policy/certificate-expiry.ts'
import { topicPublisher } from '../../shared/queues/topic-publisher.ts'
import { ObservedList } from '../../shared/transport/observed-list.ts'
import { ObservedTable } from '../../shared/transport/observed-table.ts'
import { type Dependencies, type ExpiryRun, type SentNotice, watchExpiry } from './watch-expiry.ts'

// Runs at cold start.

const environment = readEnvironment(ExpiryWatchEnvironment, process.env)
const logger = new Logger({ serviceName: 'watch-expiry' })
const metrics = unitMetrics('watch-expiry')
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const published = new PublishedCertificatesItem(documents, environment.CONNECTORS_TABLE)
const connectors = new ConnectorRepository(documents, environment.CONNECTORS_TABLE)
const observedTable = new ObservedTable(documents, environment.TRANSPORT_TABLE)
const observedList = new ObservedList(documents, environment.TRANSPORT_TABLE)

const recordTimeoutMs = 10_000

const now = () => new Date()

const dependencies: Dependencies = {
  published: () => published.read(),
  connectors: () => connectors.readAll(),
  async recordServed(newObservation) {
    await observedTable.record(newObservation, now(), AbortSignal.timeout(recordTimeoutMs))
  },
  observations: () => observedList.all(now()),
  claims: new Claims<SentNotice>(documents, environment.TRANSPORT_TABLE),
  publish: topicPublisher(new SNSClient(clientDefaults), environment.NOTICES_TOPIC_ARN),
  logNotice,
}

// Called by AWS.

/** @throws when a read or a notice failed; Lambda then repeats the run */
export async function handler(): Promise<Omit<ExpiryRun, 'gauges' | 'openRelays'>> {
  try {
    const { gauges, openRelays, ...run } = await watchExpiry(now(), dependencies)
    publishGauges(gauges)
    publishOpenRelays(openRelays)
    logger.info('Certificates checked for expiry', { ...run, inUse: gauges.length })
    if (run.failed > 0) throw new Error(`${run.failed} notices could not be published`)
    return run
  } finally {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
  }
}

function logNotice(notice: ExpiryNotice, failure: Error | null): void {
  const { observedAs, connector, hosts, certificate, daysLeft, consequence } = notice
  const { fingerprint256, notAfter } = certificate
  const fields = {
    observedAs,
    connector: connector?.name,
    hosts,
    fingerprint256,
    notAfter,
    daysLeft,
    consequence,
  }
  if (failure === null) return void logger.warn('A certificate expires', fields)
  metrics.addMetric(Metric.noticesFailed, MetricUnit.Count, 1)
  logger.error('A notice could not be published', { ...fields, error: failure })
}

/**
 * Publishes the days left of the certificate that expires first. The value without the dimension `connector` considers
 * only certificates whose expiry stops mail. The value of each connector considers all certificates of that connector.
 * Without certificates nothing is published, because no number of days would be true.
 */
function publishGauges(gauges: readonly ExpiryGauge[]): void {
  const sides = Map.groupBy(gauges, ({ observedAs }) =>
    observedAs === 'Own' ? Metric.ownCertificateDaysLeft : Metric.partnerCertificateDaysLeft,
  )
  for (const [name, gaugesOfSide] of sides) {
    const mailStoppers = gaugesOfSide.filter(({ stopsMail }) => stopsMail)
    if (mailStoppers.length > 0) metrics.addMetric(name, MetricUnit.NoUnit, minDaysLeft(mailStoppers))
    for (const [connector, group] of Map.groupBy(gaugesOfSide, (gauge) => gauge.connector)) {
      if (connector === null) continue
      const metric = metrics.singleMetric().addDimension('connector', dimensionValue(connector))
      metric.addMetric(name, MetricUnit.NoUnit, minDaysLeft(group))
    }
  }
}

function publishOpenRelays(connectors: readonly string[]): void {
  metrics.addMetric(Metric.openRelays, MetricUnit.Count, connectors.length)
  if (connectors.length > 0) logger.error('Connectors make the gateway an open relay', { connectors })
}

const minDaysLeft = (gauges: readonly ExpiryGauge[]): number =>
  Math.min(...gauges.map(({ daysLeft }) => daysLeft))
