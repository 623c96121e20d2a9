/**
 * Sends the TLS reports of one day (RFC 8460). Each domain that requests reports gets one report at each of its
 * destinations. A destination is claimed before its report is sent, so a second or repeated run sends no second copy.
 * When sending fails, the claim expires, and a later run sends the report.
 */
import { createHash } from 'node:crypto'
import { daySeconds, minuteMs } from '../../shared/contract/durations.ts'
import { asError } from '../../shared/contract/error-message.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import type { Resolver } from '../../shared/net/resolver.ts'
import type { DomainCounts, SessionCounters } from '../../shared/tls-reports/counters.ts'
import { buildReport, type Reporter, type TlsReport } from '../../shared/tls-reports/report.ts'
import {
  destinationText,
  parseReportDestinations,
  type ReportDestination,
  tlsReportRecordName,
} from '../../shared/tls-reports/report-destinations.ts'
import { sentReportKey } from '../../shared/transport/keys.ts'

/** Stored with the claim of a sent report. */
export interface SentReport {
  at: string
}

/** `Undeliverable`: the destination does not accept the report, which only the destination's owner can fix. */
export type SendResult = { kind: 'Sent' } | { kind: 'Undeliverable'; reason: string }

export interface Dependencies {
  counters: Pick<SessionCounters, 'domains'>
  claims: Claims<SentReport>
  resolver: Resolver
  reporter: Reporter
  /** @throws on an internal failure */
  send(report: TlsReport, destination: ReportDestination): Promise<SendResult>
  now(): Date
  /** Whether there is time to begin another domain. */
  hasTime(): boolean
  /** Called for each report that this run sent or failed to send. */
  onResult(result: ReportedResult): void
}

export type ReportedResult = { domain: string; destination: string } & (
  | { kind: 'Sent'; by: ReportDestination['kind'] }
  | { kind: 'Undeliverable'; reason: string }
  | { kind: 'Failed'; error: Error }
)

/** The counts of one run. */
export interface ReportRun {
  domains: number
  sent: number
  /** Reports that another run sent or is sending. */
  claimedElsewhere: number
  undeliverable: number
  failed: number
  /** Domains whose TLSRPT record could not be queried. */
  failedQueries: number
  /** True when the run ended before it reached all domains. */
  ranOutOfTime: boolean
}

/** Longer than the function may run, and shorter than the time between two runs. */
const leaseMs = 20 * minuteMs
const claimTtlDays = 10
const maxConcurrentDomains = 20
/** A silent name server must not use up the time of the run. */
const dnsTimeoutMs = 5_000

/** @throws when the counters or the claims cannot be read */
export async function sendReports(day: string, dependencies: Dependencies): Promise<ReportRun> {
  const run: ReportRun = {
    domains: 0,
    sent: 0,
    claimedElsewhere: 0,
    undeliverable: 0,
    failed: 0,
    failedQueries: 0,
    ranOutOfTime: false,
  }
  const running = new Set<Promise<void>>()
  let firstError: unknown
  for await (const counts of dependencies.counters.domains(day)) {
    run.ranOutOfTime = !dependencies.hasTime()
    if (run.ranOutOfTime || firstError !== undefined) break
    run.domains += 1
    const work = reportTo(counts, day, run, dependencies)
      .catch((error: unknown) => {
        firstError ??= error
      })
      .finally(() => running.delete(work))
    running.add(work)
    if (running.size >= maxConcurrentDomains) await Promise.race(running)
  }
  await Promise.all(running)
  if (firstError !== undefined) throw firstError
  return run
}

async function reportTo(
  counts: DomainCounts,
  day: string,
  run: ReportRun,
  dependencies: Dependencies,
): Promise<void> {
  const querySignal = AbortSignal.timeout(dnsTimeoutMs)
  const response = await dependencies.resolver.query(tlsReportRecordName(counts.domain), 'TXT', querySignal)
  if (response.kind === 'Failed') run.failedQueries += 1
  const destinations = response.kind === 'Found' ? parseReportDestinations(response.records) : []
  if (destinations.length === 0) return
  const report = buildReport(counts, day, dependencies.reporter)
  await Promise.all(destinations.map((destination) => sendOnce(report, destination, run, dependencies)))
}

async function sendOnce(
  report: TlsReport,
  destination: ReportDestination,
  run: ReportRun,
  { claims, send, now, onResult }: Dependencies,
): Promise<void> {
  const { day, domain } = report
  const at = now()
  const key = sentReportKey(day, domain, digest(destinationText(destination)))
  const claim = await claims.claim(key, at, leaseMs, expiryAfter(at, claimTtlDays * daySeconds))
  if (claim.kind !== 'Claimed') {
    run.claimedElsewhere += 1
    return
  }
  const result = { domain, destination: destinationText(destination) }
  try {
    const sendResult = await send(report, destination)
    if (sendResult.kind === 'Undeliverable') {
      run.undeliverable += 1
      return onResult({ ...result, ...sendResult })
    }
  } catch (error) {
    run.failed += 1
    return onResult({
      ...result,
      kind: 'Failed',
      error: asError(error),
    })
  }
  await claims.complete(key, { at: at.toISOString() })
  run.sent += 1
  onResult({ ...result, kind: 'Sent', by: destination.kind })
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 20)
