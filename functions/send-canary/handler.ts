/**
 * Sends a canary: a message that passes load balancer, ingress, storage, evaluation and delivery like any mail, and ends
 * in deliver-message, which publishes its time. A schedule invokes this function every minute.
 */
import { Logger } from '@aws-lambda-powertools/logger'
import { MetricUnit } from '@aws-lambda-powertools/metrics'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { newUlid } from '../../shared/content/ulid.ts'
import { CanaryEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { unitMetrics } from '../../shared/lambda/unit-metrics.ts'
import { CanaryTable } from '../../shared/transport/canary-table.ts'
import { type SentCanary, sendCanary } from './send-canary.ts'

// Runs at cold start.

/** Less than the function's timeout of 30 seconds. */
const limitMs = 25_000
const timeouts = { connect: 10_000, greeting: 10_000, command: 10_000, data: 10_000 }

const environment = readEnvironment(CanaryEnvironment, process.env)
const logger = new Logger({ serviceName: 'send-canary' })
const metrics = unitMetrics('send-canary')
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const canaries = new CanaryTable(documents, environment.TRANSPORT_TABLE)

// Called by AWS.

/** @throws when the table fails */
export async function handler(): Promise<SentCanary> {
  const sent = await sendCanary({
    canaries,
    hostname: environment.MAIL_HOSTNAME,
    authorities: environment.CANARY_AUTHORITY === undefined ? [] : [environment.CANARY_AUTHORITY],
    newId: newUlid,
    timeouts,
    signal: AbortSignal.timeout(limitMs),
  })
  if (sent.kind !== 'Accepted') {
    metrics.addMetric(Metric.canariesFailed, MetricUnit.Count, 1)
    metrics.publishStoredMetrics()
    logger.error('The ingress did not accept a canary', { ...sent })
  }
  return sent
}
