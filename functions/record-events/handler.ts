/** record-events: stores the events of the events queue in the events bucket. */
import { Logger } from '@aws-lambda-powertools/logger'
import { MetricUnit } from '@aws-lambda-powertools/metrics'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { RecordEventsEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import { addressesReader } from '../../shared/events/address-hash-key.ts'
import { EventStore } from '../../shared/events/event-store.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { JobSource } from '../../shared/lambda/job-source.ts'
import { unitMetrics } from '../../shared/lambda/unit-metrics.ts'
import { RejectedSessions } from '../../shared/messages/rejected-sessions.ts'
import { recordEvents } from './record-events.ts'

const environment = readEnvironment(RecordEventsEnvironment, process.env)
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const metrics = unitMetrics('record-events')
const dependencies = {
  store: new EventStore(new S3Client(clientDefaults), environment.EVENTS_BUCKET),
  addresses: addressesReader(new SecretsManagerClient(clientDefaults), environment),
  rejected: new RejectedSessions(documents, environment.MESSAGES_TABLE, environment.TRACE_RETENTION_DAYS),
  source: new JobSource(new SQSClient(clientDefaults), [
    { queue: environment.EVENTS_QUEUE_URL, deadLetters: environment.EVENTS_DEAD_LETTERS_URL },
  ]),
  logger: new Logger({ serviceName: 'record-events' }),
  countFailing: (count: number) => void metrics.addMetric(Metric.jobsFailing, MetricUnit.Count, count),
  now: Date.now,
}

export async function handler(event: SQSEvent): Promise<SQSBatchResponse> {
  const response = await recordEvents(event, dependencies)
  if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
  return response
}
