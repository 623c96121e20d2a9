/** Records an observed certificate, and publishes an event when a partner's issuer or key has changed. */
import type { Logger } from '@aws-lambda-powertools/logger'
import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { Metric } from '../contract/metrics.ts'
import { countByConnector } from '../lambda/unit-metrics.ts'
import type { NewObservation, ObservedChange, ObservedEndpoint } from '../tls/observed/observation.ts'
import type { PublishChange } from './change-events.ts'
import type { ObservedTable } from './observed-table.ts'

export interface ObservationSinks {
  table: Pick<ObservedTable, 'record'>
  publish: PublishChange
}

export interface LogAndMetrics {
  logger: Logger
  metrics: Metrics
}

const timeoutMs = 5_000

/**
 * Never rejects: a failed write is logged and counted, a failed event is logged.
 * @returns whether the endpoint presented the certificate for the first time
 */
export async function recordObservedCertificate(
  presented: NewObservation,
  now: Date,
  { table, publish }: ObservationSinks,
  tools: LogAndMetrics,
  signal: AbortSignal = AbortSignal.timeout(timeoutMs),
): Promise<boolean> {
  const { endpoint, certificate } = presented
  const context = {
    ...endpoint,
    connector: endpoint.connector?.name,
    fingerprint256: certificate.fingerprint256,
  }
  try {
    const result = await table.record(presented, now, signal)
    if (result.kind === 'LimitReached')
      tools.logger.warn('Observed certificate not recorded: too many new hosts this month', context)
    if (result.kind !== 'Written') return false
    const { isNew, change } = result
    if (change === null) return isNew
    tools.logger.info('Observed certificate changed', { ...context, change })
    if (shouldPublish(endpoint, change)) await reportChange(endpoint, change, publish, tools, signal)
    return isNew
  } catch (error) {
    tools.metrics.addMetric(Metric.certificatesUnwritten, MetricUnit.Count, 1)
    tools.logger.warn('Observed certificate could not be recorded', {
      ...context,
      error: error as Error,
    })
    return false
  }
}

/**
 * Whether the change needs an event. Three changes need none: of the organisation's own certificate; at a host without
 * a connector, for which no certificate was agreed; and a renewal with the same issuer and key.
 */
const shouldPublish = ({ kind, connector }: ObservedEndpoint, { what }: ObservedChange): boolean =>
  kind !== 'Own' && connector !== null && !what.includes('Certificate')

/** The table already has the change, so no information is lost when the event cannot be published. */
async function reportChange(
  endpoint: ObservedEndpoint,
  change: ObservedChange,
  publish: PublishChange,
  { logger, metrics }: LogAndMetrics,
  signal: AbortSignal,
): Promise<void> {
  countByConnector(metrics, Metric.partnerCertificatesChanged, endpoint.connector?.name ?? '')
  await publish(endpoint, change, signal).catch((error: Error) =>
    logger.warn('The event of a changed certificate could not be published', { host: endpoint.host, error }),
  )
}
