/** seal-hour: makes Parquet files and rollups of the events of an hour. A schedule invokes it each hour. */
import { Logger } from '@aws-lambda-powertools/logger'
import { MetricUnit } from '@aws-lambda-powertools/metrics'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { Context } from 'aws-lambda'
import { FunctionInvoker } from '../../shared/aws/function-invoker.ts'
import { changesBetween } from '../../shared/connectors-table/change-log.ts'
import { readEnvironment, SealHourEnvironment } from '../../shared/contract/environment.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import { addressesReader } from '../../shared/events/address-hash-key.ts'
import { EventStore } from '../../shared/events/event-store.ts'
import { missingCount, type SealMarker } from '../../shared/events/seal-marker.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { unitMetrics } from '../../shared/lambda/unit-metrics.ts'
import { changeEvent } from './configuration-changes.ts'
import { RecipientKeys } from './recipient-keys.ts'
import { SealRequest, sealHours } from './seal-hours.ts'

const environment = readEnvironment(SealHourEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const s3 = new S3Client(clientDefaults)
const metrics = unitMetrics('seal-hour')
const logger = new Logger({ serviceName: 'seal-hour' })
const timeouts = { connectMs: 3000, totalMs: 10_000 }
const dependencies = {
  store: new EventStore(s3, environment.EVENTS_BUCKET),
  recipients: new RecipientKeys(documents, environment.MESSAGES_TABLE),
  addresses: addressesReader(new SecretsManagerClient(clientDefaults), environment),
  async changeEvents(since: Date, until: Date) {
    return (await changesBetween(documents, environment.CONNECTORS_TABLE, since, until)).map(changeEvent)
  },
  onSealed({ reconciliation, ...marker }: SealMarker) {
    const { samples, ...counts } = reconciliation
    metrics.addMetric(Metric.eventsMissing, MetricUnit.Count, missingCount(reconciliation))
    logger.info('shard sealed', { ...marker, ...counts })
    if (samples.length > 0)
      logger.error('Events are missing', { messages: samples.map(({ messageId }) => messageId) })
  },
  onOverdue: (hours: number) => void metrics.addMetric(Metric.hoursUnsealed, MetricUnit.Count, hours),
  now: Date.now,
}

/** @returns the markers of the shards that the invocation has sealed */
export async function handler(event: unknown, context: Context): Promise<SealMarker[]> {
  const invoker = new FunctionInvoker({
    functionArn: context.invokedFunctionArn,
    credentials: () => s3.config.credentials(),
    timeouts,
    endpoint: environment.AWS_ENDPOINT_URL_LAMBDA,
  })
  try {
    return await sealHours(SealRequest.parse(event), {
      ...dependencies,
      invoke: (request) => invoker.invokeAsync(request),
      remainingMs: () => context.getRemainingTimeInMillis(),
    })
  } finally {
    invoker.close()
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
  }
}
