/** Counts sessions during a batch and writes the counts at the batch's end. No delivery depends on the counts. */
import type { Logger } from '@aws-lambda-powertools/logger'
import { type Metrics, MetricUnit } from '@aws-lambda-powertools/metrics'
import { Metric } from '../../shared/contract/metrics.ts'
import type { OutboundMessage, SmtpDeliveryOptions } from '../../shared/net/smtp-delivery.ts'
import { sessionCountsOf } from '../../shared/tls-reports/applied-policy.ts'
import type { SessionCounters } from '../../shared/tls-reports/counters.ts'
import type { Tally } from '../../shared/tls-reports/tally.ts'

/** The function has this much time left after its last attempt. */
const writeTimeoutMs = 10_000

/** RFC 8460 §3: a session that transmits a report must not be included in the next report. */
export function sessionRecorder(
  tally: Tally,
  { content }: Pick<OutboundMessage, 'content'>,
  now: () => Date,
): Pick<SmtpDeliveryOptions, 'recordSession'> {
  if (carriesReport(content)) return {}
  return {
    recordSession(session) {
      const at = now()
      tally.add(sessionCountsOf(session, at), at)
    },
  }
}

/** No report has a longer header. */
const maxHeaderOctets = 262_144

function carriesReport(content: Buffer): boolean {
  const start = content.subarray(0, maxHeaderOctets)
  const end = start.indexOf('\r\n\r\n')
  const header = start.subarray(0, end < 0 ? start.length : end).toString('latin1')
  return /^tls-report-domain[ \t]*:/im.test(header)
}

/** Stores counts, and knows which domains request reports on them. */
export interface SessionCountSinks {
  counters: Pick<SessionCounters, 'add'>
  requestsReports(domain: string): Promise<boolean>
}

/**
 * All sessions are in the metrics. Those of domains that request TLS reports are also stored. Never throws: sessions
 * whose counts cannot be written are counted in a metric.
 */
export async function writeSessionCounts(
  tally: Tally,
  { counters, requestsReports }: SessionCountSinks,
  random: () => number,
  { logger, metrics }: { logger: Logger; metrics: Metrics },
): Promise<void> {
  const drained = tally.drain()
  if (drained.length === 0) return
  const byResult = Map.groupBy(drained, ({ failure }) => failure?.result ?? 'success')
  for (const [result, counts] of byResult) {
    const sessions = counts.reduce((sum, { sessions }) => sum + sessions, 0)
    const metric = metrics.singleMetric().addDimension('result', result)
    metric.addMetric(Metric.tlsResults, MetricUnit.Count, sessions)
  }
  const isRequested = await Promise.all(drained.map(({ domain }) => requestsReports(domain)))
  const requested = drained.filter((_, index) => isRequested[index])
  const unwritten = await counters.add(requested, random(), AbortSignal.timeout(writeTimeoutMs))
  if (unwritten === null) return
  metrics.addMetric(Metric.sessionsUncounted, MetricUnit.Count, unwritten.sessions)
  logger.warn('Sessions could not be counted for the TLS reports of the day', {
    sessions: unwritten.sessions,
    error: unwritten.cause,
  })
}
