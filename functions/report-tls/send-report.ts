/**
 * Sends one report to one destination. A report by mail is a new message with the null reverse path: connectors apply
 * to it, and it causes no DSN. A report over HTTPS is sent immediately, to a server whose certificate is verified. RFC
 * 8460 §3 lets senders skip the verification, but a report reveals which domains exchange mail.
 */
import { contentKey } from '../../shared/content/content-key.ts'
import type { EvaluationJob } from '../../shared/contract/jobs.ts'
import {
  basicEnvelope,
  type ContentReference,
  createOwnMessage,
  newRecipient,
} from '../../shared/contract/message.ts'
import type { SigningKey } from '../../shared/net/signing-key.ts'
import { fetchUntrusted } from '../../shared/net/untrusted-https.ts'
import type { UntrustedRequestOptions } from '../../shared/net/untrusted-request.ts'
import type { JobSender } from '../../shared/queues/job-queue.ts'
import type { Reporter, TlsReport } from '../../shared/tls-reports/report.ts'
import type { ReportDestination } from '../../shared/tls-reports/report-destinations.ts'
import { buildReportMessage, compressReport, reportMessageId } from '../../shared/tls-reports/report-mail.ts'
import type { SendResult } from './send-reports.ts'

export interface Dependencies {
  reporter: Reporter
  /** Returns null when no key is configured. @throws when the key cannot be read */
  dkimKey(): Promise<SigningKey | null>
  /** Stores octets and returns their location. */
  store(key: string, octets: Buffer): Promise<ContentReference>
  evaluation: JobSender<EvaluationJob>
  https: Pick<UntrustedRequestOptions, 'resolver' | 'privateNetworks'>
  /** Returns the seconds that a report by mail waits, so that a day's reports do not delay other mail. */
  delaySeconds(): number
  /** Returns a new message id. */
  id(at: Date): string
  now(): Date
}

/** @throws on an internal failure */
export function sendReport(
  report: TlsReport,
  destination: ReportDestination,
  dependencies: Dependencies,
): Promise<SendResult> {
  return destination.kind === 'Mail'
    ? sendByMail(report, destination.address, dependencies)
    : sendByHttps(report, new URL(destination.url), dependencies)
}

async function sendByMail(report: TlsReport, to: string, dependencies: Dependencies): Promise<SendResult> {
  const { reporter, dkimKey, store, evaluation } = dependencies
  const at = dependencies.now()
  const id = dependencies.id(at)
  const octets = await buildReportMessage(report, { id, to, at }, reporter, await dkimKey())
  const content = await store(contentKey('reports', id), octets)
  const headerMessageId = reportMessageId(id, reporter)
  const message = createOwnMessage({ id, madeAt: at, envelope: basicEnvelope(''), headerMessageId, content })
  const job = { message, recipients: [newRecipient(to)], notBefore: null }
  await evaluation.send([{ job, delaySeconds: dependencies.delaySeconds() }])
  return { kind: 'Sent' }
}

const limits = { totalMs: 10_000, idleTimeoutMs: 5_000, maxBodyOctets: 65_536 }

async function sendByHttps(report: TlsReport, url: URL, { https }: Dependencies): Promise<SendResult> {
  const body = await compressReport(report)
  const response = await fetchUntrusted(
    { ...https, limits },
    {
      host: url.hostname,
      path: `${url.pathname}${url.search}`,
      method: 'POST',
      headers: {
        'Content-Type': 'application/tlsrpt+gzip',
        'Content-Length': String(body.length),
        'User-Agent': 'mailflow',
      },
      body,
    },
  )
  if (response.kind === 'Failed') return { kind: 'Undeliverable', reason: response.detail }
  return response.status >= 200 && response.status < 300
    ? { kind: 'Sent' }
    : { kind: 'Undeliverable', reason: `${url.hostname} answered ${response.status}` }
}
