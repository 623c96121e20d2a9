/** Writes authentications to logs and metrics. */
import type { Logger } from '@aws-lambda-powertools/logger'
import type { Message } from '../../shared/contract/message.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import type { UnitMetrics } from '../../shared/lambda/unit-metrics.ts'
import type { AuthenticatedJob } from './authenticate-job.ts'

/** Logs one line. The names are those of the sender's records, the message's content is not logged. */
export function reportAuthentication(
  { id: messageId }: Pick<Message, 'id'>,
  result: AuthenticatedJob,
  durationMs: number,
  { logger, metrics }: { logger: Logger; metrics: UnitMetrics },
): void {
  if (result.kind === 'NotReceived' || result.kind === 'Erased') return
  if (result.kind === 'NoResults') {
    const { reason, error } = result
    const fields = { messageId, reason, durationMs, ...(error && { error }) }
    logger.error('A message goes on without authentication results', fields)
    metrics.countBy(Metric.authenticationsFailed, 'reason', reason)
    return
  }
  const { spf, dkim, dmarc, arc } = result.authentication
  logger.info('Authenticated', { messageId, spf, dkim, dmarc, arc, durationMs })
  metrics.countBy(Metric.authenticated, 'dmarc', dmarc?.result ?? 'none')
}
