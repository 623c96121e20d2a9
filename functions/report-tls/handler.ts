/** report-tls: sends the TLS reports of the previous day, or of a given day. A schedule invokes it. */
import { Logger } from '@aws-lambda-powertools/logger'
import { MetricUnit } from '@aws-lambda-powertools/metrics'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import type { Context } from 'aws-lambda'
import { ulid } from 'ulid'
import * as z from 'zod'
import { contentReference } from '../../shared/content/content-reference.ts'
import { dkimSettings, ReportEnvironment, readEnvironment } from '../../shared/contract/environment.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import { Metric } from '../../shared/contract/metrics.ts'
import { reportHours } from '../../shared/contract/report-schedule.ts'
import { clientDefaults } from '../../shared/lambda/aws-clients.ts'
import { unitMetrics } from '../../shared/lambda/unit-metrics.ts'
import { domainOf } from '../../shared/mail/address.ts'
import { Claims } from '../../shared/messages/claims.ts'
import { createResolver } from '../../shared/net/resolver.ts'
import { readSigningKey } from '../../shared/net/signing-key.ts'
import { JobQueue } from '../../shared/queues/job-queue.ts'
import { SessionCounters } from '../../shared/tls-reports/counters.ts'
import { dayOf, previousDay } from '../../shared/tls-reports/days.ts'
import { type Dependencies as SendDependencies, sendReport } from './send-report.ts'
import { type ReportedResult, type ReportRun, type SentReport, sendReports } from './send-reports.ts'

/**
 * A scheduled event names no day. A manual invocation may name one: `{"day":"2026-02-03"}`. A day that has not ended
 * needs `"unfinished":true`, because sessions after the run are in no report.
 */
const ReportEvent = z.object({ day: z.iso.date().optional(), unfinished: z.boolean().default(false) })

/**
 * Spreads the reports that are sent by mail: in each second, `perSecond` of them become due. `maxDelaySeconds` is the
 * longest delay that SQS allows; all further reports get this delay.
 */
const pace = { perSecond: 20, maxDelaySeconds: 900 }

/** With less time left, the run begins no further domain, so that the domains under way can end. */
const minRemainingMs = 90_000

// Runs at cold start.

const environment = readEnvironment(ReportEnvironment, process.env)
const logger = new Logger({ serviceName: 'report-tls' })
const metrics = unitMetrics('report-tls')
const documents = DynamoDBDocumentClient.from(new DynamoDBClient(clientDefaults))
const s3 = new S3Client(clientDefaults)
const secrets = new SecretsManagerClient(clientDefaults)
const resolver = createResolver(environment.DNS_SERVERS)
const dkim = dkimSettings(environment)

const reporter = {
  organisation: environment.TLS_REPORTER_ORGANISATION,
  address: environment.TLS_REPORTER_ADDRESS,
  domain: domainOf(environment.TLS_REPORTER_ADDRESS) ?? '',
}

const counters = new SessionCounters(documents, environment.TRANSPORT_TABLE)
const claims = new Claims<SentReport>(documents, environment.TRANSPORT_TABLE)
const now = () => new Date()

const sendDependencies: Omit<SendDependencies, 'dkimKey' | 'delaySeconds'> = {
  reporter,
  async store(key, octets) {
    const content = contentReference(environment.CONTENT_BUCKET, key, octets)
    await s3.send(new PutObjectCommand({ Bucket: content.bucket, Key: content.key, Body: octets }))
    return content
  },
  evaluation: new JobQueue<EvaluationJob>(new SQSClient(clientDefaults), environment.EVALUATION_QUEUE_URL),
  https: { resolver, privateNetworks: environment.PRIVATE_MX_NETWORKS },
  id: (at) => ulid(at.getTime()),
  now,
}

// Called by AWS.

/** @throws when counters or claims cannot be read; Lambda then repeats the run */
export async function handler(
  event: unknown,
  context?: Pick<Context, 'getRemainingTimeInMillis'>,
): Promise<ReportRun> {
  const { day = previousDay(now()), unfinished } = ReportEvent.parse(event ?? {})
  if (day >= dayOf(now()) && !unfinished)
    throw new Error(`${day} has not ended. Pass "unfinished": true to report it now`)
  const hour = now().getUTCHours()
  const isLastRun = hour >= (reportHours.at(-1) ?? 0)
  let queuedReports = 0
  const delaySeconds = () => Math.min(pace.maxDelaySeconds, Math.floor(queuedReports++ / pace.perSecond))
  const key = dkim === null ? null : cacheOnce(() => readSigningKey(secrets, dkim))
  try {
    const run = await sendReports(day, {
      counters,
      claims,
      resolver,
      reporter,
      send: (report, destination) =>
        sendReport(report, destination, {
          ...sendDependencies,
          delaySeconds,
          dkimKey: async () => key?.() ?? null,
        }),
      now,
      hasTime: () => (context?.getRemainingTimeInMillis() ?? Number.POSITIVE_INFINITY) > minRemainingMs,
      onResult: (result) => logReport(result, isLastRun),
    })
    logger.info('TLS reports sent', { day, ...run })
    if (run.ranOutOfTime && isLastRun) {
      logger.error('The run ran out of time before all TLS reports were sent', { day })
      metrics.addMetric(Metric.tlsReportsFailed, MetricUnit.Count, 1)
    }
    return run
  } finally {
    if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics()
  }
}

/**
 * Logs and counts a result. A failure is counted only in the day's last run: after an earlier run, a later one may
 * still send the report.
 */
function logReport({ domain, destination, ...result }: ReportedResult, isLastRun: boolean): void {
  switch (result.kind) {
    case 'Sent': {
      const by = result.by === 'Mail' ? 'mail' : 'https'
      metrics.singleMetric().addDimension('by', by).addMetric(Metric.tlsReportsSent, MetricUnit.Count, 1)
      return
    }
    case 'Undeliverable':
      logger.warn('A TLS report was not accepted', {
        domain,
        destination,
        why: result.reason,
        isLast: isLastRun,
      })
      if (isLastRun) metrics.addMetric(Metric.tlsReportsUndeliverable, MetricUnit.Count, 1)
      return
    case 'Failed':
      logger.error('A TLS report could not be sent', {
        domain,
        destination,
        isLast: isLastRun,
        error: result.error,
      })
      if (isLastRun) metrics.addMetric(Metric.tlsReportsFailed, MetricUnit.Count, 1)
  }
}

function cacheOnce<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= read()
    return result
  }
}
