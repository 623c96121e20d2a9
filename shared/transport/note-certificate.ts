/** A certificate that was seen: written down, and told of where a partner's issuer or key is another than before. */
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

/** Milliseconds; whoever calls has nothing left to do but this. */
const patience = 5_000

/** Never rejects: what cannot be written or told is logged and counted. */
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
    if (seen.kind === 'NoRoom')
      return void tools.logger.warn('A certificate is not kept: too many new places this month', about)
    if (seen.kind === 'Known' || seen.change === null) return
    tools.logger.info('certificate changed', { ...about, change: seen.change })
    if (isToBeTold(place, seen.change)) await raise(place, seen.change, tell, tools, signal)
  } catch (error) {
    tools.metrics.addMetric(Metric.certificatesUnwritten, MetricUnit.Count, 1)
    tools.logger.warn('A certificate that was seen could not be written down', {
      ...about,
      error: error as Error,
    })
  }
}

/** Ours were changed by us, and with strangers nothing is agreed. */
const isToBeTold = ({ kind, connector }: ObservedPlace, { what }: ObservedChange): boolean =>
  kind !== 'Own' && connector !== null && !what.includes('Certificate')

/** It is in the table by now, so an event that is lost is not the only word of it. */
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
    logger.warn('The event of a changed certificate was not taken', { host: place.host, error }),
  )
}
