/**
 * Sends the TLS reports of one day (RFC 8460). Each domain that requests reports gets one at each of its
 * destinations, once. A destination is claimed before its report is sent, so a second or repeated run sends no second
 * copy. When sending fails, the claim expires, and a later run sends the report.
 */
import { createHash } from 'node:crypto'
import { daySeconds, minuteMs } from '../../shared/contract/durations.ts'
import { asError } from '../../shared/contract/error-message.ts'
import { expiryAfter } from '../../shared/dynamodb/expiry-after.ts'
import type { Claims } from '../../shared/messages/claims.ts'
import type { Resolver } from '../../shared/net/resolver.ts'
import type { DomainCounts, SessionCounters } from '../../shared/tls-reports/counters.ts'
import {
  destinationText,
  type ReportDestination,
  recordName,
  reportDestinations,
} from '../../shared/tls-reports/record.ts'
import { buildReport, type Reporter, type TlsReport } from '../../shared/tls-reports/report.ts'
import { sentReportKey } from '../../shared/transport/keys.ts'

/** Stored with the claim of a sent report. */
export interface Sent {
  at: string
}

/** `Undeliverable`: the destination does not accept the report; its owner must fix that. */
export type Sending = { kind: 'Sent' } | { kind: 'Undeliverable'; why: string }

export interface Dependencies {
  counters: Pick<SessionCounters, 'domains'>
  claims: Claims<Sent>
  resolver: Resolver
  reporter: Reporter
  /** @throws on an internal failure */
  send(report: TlsReport, place: ReportDestination): Promise<Sending>
  now(): Date
  /** Whether there is time to begin another domain. */
  hasTime(): boolean
  /** Called for each report, sent or not. */
  tell(told: Told): void
}

export type Told = { domain: string; place: string } & (
  | { kind: 'Sent'; by: ReportDestination['kind'] }
  | { kind: 'Undeliverable'; why: string }
  | { kind: 'Failed'; error: Error }
)

/** The counts of one run. */
export interface Run {
  domains: number
  sent: number
  /** Reports that another run sent or is sending. */
  known: number
  undeliverable: number
  failed: number
  /** Domains whose TLSRPT record could not be queried. */
  unasked: number
  /** True when the run ended before it reached all domains. */
  cutShort: boolean
}

/** Longer than the function may run, and shorter than the time between two runs. */
const leaseMs = 20 * minuteMs
/** Days that a claim is stored. */
const rememberedDays = 10
const domainsAtOnce = 20
/** Milliseconds; a silent name server must not use up the run. */
const dnsTimeoutMs = 5_000

/** @throws when the counters or the claims cannot be read */
export async function sendReports(day: string, dependencies: Dependencies): Promise<Run> {
  const run: Run = {
    domains: 0,
    sent: 0,
    known: 0,
    undeliverable: 0,
    failed: 0,
    unasked: 0,
    cutShort: false,
  }
  const running = new Set<Promise<void>>()
  let fault: unknown
  for await (const counts of dependencies.counters.domains(day)) {
    run.cutShort = !dependencies.hasTime()
    if (run.cutShort || fault !== undefined) break
    run.domains += 1
    const work = reportTo(counts, day, run, dependencies)
      .catch((error: unknown) => {
        fault ??= error
      })
      .finally(() => running.delete(work))
    running.add(work)
    if (running.size >= domainsAtOnce) await Promise.race(running)
  }
  await Promise.all(running)
  if (fault !== undefined) throw fault
  return run
}

async function reportTo(
  counts: DomainCounts,
  day: string,
  run: Run,
  dependencies: Dependencies,
): Promise<void> {
  const querySignal = AbortSignal.timeout(dnsTimeoutMs)
  const answer = await dependencies.resolver.query(recordName(counts.domain), 'TXT', querySignal)
  if (answer.kind === 'Failed') run.unasked += 1
  const places = answer.kind === 'Found' ? reportDestinations(answer.records) : []
  if (places.length === 0) return
  const report = buildReport(counts, day, dependencies.reporter)
  await Promise.all(places.map((place) => sendOnce(report, place, run, dependencies)))
}

async function sendOnce(
  report: TlsReport,
  place: ReportDestination,
  run: Run,
  { claims, send, now, tell }: Dependencies,
): Promise<void> {
  const { day, domain } = report
  const at = now()
  const key = sentReportKey(day, domain, digest(destinationText(place)))
  const claim = await claims.claim(key, at, leaseMs, expiryAfter(at, rememberedDays * daySeconds))
  if (claim.kind !== 'Claimed') {
    run.known += 1
    return
  }
  const told = { domain, place: destinationText(place) }
  try {
    const sending = await send(report, place)
    if (sending.kind === 'Undeliverable') {
      run.undeliverable += 1
      return tell({ ...told, ...sending })
    }
  } catch (error) {
    run.failed += 1
    return tell({
      ...told,
      kind: 'Failed',
      error: asError(error),
    })
  }
  await claims.complete(key, { at: at.toISOString() })
  run.sent += 1
  tell({ ...told, kind: 'Sent', by: place.kind })
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 20)
