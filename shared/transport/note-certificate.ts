/** Records an observed certificate, and publishes an event when a partner's issuer or key has changed. */
import type { Logger } from '@aws-lambda-powertools/logger'
import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { asDimension, Metric } from '../contract/metrics.ts'
import type { ObservedChange, ObservedPlace, Sighting } from '../tls/observed/observation.ts'
import type { TellChange } from './change-events.ts'
import type { ObservedTable } from './observed-table.ts'

export interface Noting {
  table: Pick<ObservedTable, 'see'>
  tell: TellChange
}

export interface Tools {
  logger: Logger
  metrics: Metrics
}

/** Milliseconds. */
const patience = 5_000

/** Never rejects: a failure is logged and counted. */
export async function noteCertificate(
  sighting: Sighting,
  now: Date,
  { table, tell }: Noting,
  tools: Tools,
  signal: AbortSignal = AbortSignal.timeout(patience),
): Promise<void> {
  const { place, certificate } = sighting
  const about = { ...place, connector: place.connector?.name, fingerprint256: certificate.fingerprint256 }
  try {
    const seen = await table.see(sighting, now, signal)
    if (seen.kind === 'LimitReached')
      return void tools.logger.warn('Observed certificate not recorded: too many new hosts this month', about)
    if (seen.kind === 'Known' || seen.change === null) return
    tools.logger.info('Observed certificate changed', { ...about, change: seen.change })
    if (isToBeTold(place, seen.change)) await raise(place, seen.change, tell, tools, signal)
  } catch (error) {
    tools.metrics.addMetric(Metric.certificatesUnwritten, MetricUnit.Count, 1)
    tools.logger.warn('Observed certificate could not be recorded', {
      ...about,
      error: error as Error,
    })
  }
}

/** The organisation changes its own certificates itself; without a connector, no certificate was agreed. */
const isToBeTold = ({ kind, connector }: ObservedPlace, { what }: ObservedChange): boolean =>
  kind !== 'Own' && connector !== null && !what.includes('Certificate')

/** The table has the change already, so a lost event loses no information. */
async function raise(
  place: ObservedPlace,
  change: ObservedChange,
  tell: TellChange,
  { logger, metrics }: Tools,
  signal: AbortSignal,
): Promise<void> {
  const counted = metrics.singleMetric()
  counted.clearDefaultDimensions()
  counted.addDimensions({})
  counted.addDimensions({ connector: asDimension(place.connector?.name ?? '') })
  counted.addMetric(Metric.partnerCertificatesChanged, MetricUnit.Count, 1)
  await tell(place, change, signal).catch((error: Error) =>
    logger.warn('The event of a changed certificate could not be published', { host: place.host, error }),
  )
}
