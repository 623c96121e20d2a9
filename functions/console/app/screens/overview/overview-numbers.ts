/** The numbers of the overview, from the answers of the API. Pure. */
import type { Health, ObservedCertificates, QueueList, Report } from '../../api/types.ts'
import type { PartnerRow } from '../partners/partner-rows.ts'
import { kindOf, type WaitingKind } from '../queues/reason-text.ts'

/** The sign beside the health in one line. */
export const healthIndicator = (status: Health['status']): 'success' | 'error' | 'pending' =>
  status === 'Good' ? 'success' : status === 'Alarms' ? 'error' : 'pending'

type Alarm = Health['alarms'][number]

export const alarmIndicators: Readonly<Record<Alarm['state'], 'success' | 'error' | 'pending'>> = {
  OK: 'success',
  ALARM: 'error',
  INSUFFICIENT_DATA: 'pending',
}

export const alarmWords: Readonly<Record<Alarm['state'], string>> = {
  OK: 'Quiet',
  ALARM: 'Rings',
  INSUFFICIENT_DATA: 'No data',
}

export const ringingFirst = (alarms: readonly Alarm[]): Alarm[] => {
  const order: readonly Alarm['state'][] = ['ALARM', 'INSUFFICIENT_DATA', 'OK']
  return [...alarms].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
}

const waiting = { to: '/queues', text: 'Mail that waits' }
const bounced = { to: '/messages?state=Bounced', text: 'Mail that bounced' }

/** Where a person sees the mail, partner or certificate of an alarm, by its title. */
export const alarmLinks: Readonly<Record<string, readonly { to: string; text: string }[]>> = {
  'Forced TLS is not met': [waiting, bounced],
  'A partner presents an unknown certificate': [
    { to: '/unknown-certificates', text: 'Unknown certificates' },
  ],
  "A partner's certificate expires": [{ to: '/certificates', text: 'Certificates' }],
}

/** Partners with warnings, those with most warnings first. */
export const atRisk = (rows: readonly PartnerRow[]): PartnerRow[] =>
  rows
    .filter(({ warnings }) => warnings.length > 0)
    .sort((a, b) => b.warnings.length - a.warnings.length || a.title.localeCompare(b.title))

export interface WaitingSummary {
  recipients: number
  /** ISO 8601; null if none waits. */
  oldest: string | null
  /** When the first recipient is returned to its sender. */
  expires: string | null
  /** Recipients by reason, the most frequent first. */
  reasons: { reason: string; count: number }[]
  /** Whether more mail may wait than was counted. */
  mayBeMore: boolean
}

export function waitingSummary({ items, omitted, complete }: QueueList, kind: WaitingKind): WaitingSummary {
  const ofKind = items.filter(({ reason }) => kindOf(reason) === kind)
  const earliest = (times: string[]): string | null => times.sort()[0] ?? null
  return {
    recipients: recipientsIn(ofKind),
    oldest: earliest(ofKind.map(({ oldest }) => oldest)),
    expires: earliest(ofKind.map(({ expires }) => expires)),
    reasons: [...Map.groupBy(ofKind, ({ reason }) => reason)]
      .map(([reason, groups]) => ({ reason, count: recipientsIn(groups) }))
      .sort((a, b) => b.count - a.count),
    mayBeMore: omitted > 0 || !complete,
  }
}

const recipientsIn = (groups: QueueList['items']): number =>
  groups.reduce((sum, { recipients }) => sum + recipients, 0)

/** Refusals by reason, the most frequent first. */
export function refusalCounts({ rows }: Pick<Report, 'rows'>): { reason: string; count: number }[] {
  const byReason = Map.groupBy(rows, ({ reason }) => String(reason))
  return [...byReason]
    .map(([reason, ofReason]) => ({
      reason,
      count: ofReason.reduce((sum, { count }) => sum + Number(count), 0),
    }))
    .sort((a, b) => b.count - a.count)
}

/** Messages by the TLS of their sessions. `unknown`: through Amazon SES, which does not show it. */
export interface TlsCounts {
  tls13: number
  tls12: number
  inClear: number
  unknown: number
}

export function tlsCounts({ rows }: Pick<Report, 'rows'>, direction: 'Inbound' | 'Outbound'): TlsCounts {
  const sum = (column: string): number =>
    rows
      .filter((row) => row.direction === direction)
      .reduce((total, row) => total + Number(row[column] ?? 0), 0)
  return { tls13: sum('tls13'), tls12: sum('tls12'), inClear: sum('inClear'), unknown: sum('unknown') }
}

/** `(81 %)`. A small share is not 0, and one that is not the whole is not 100. */
export function shareText(count: number, { tls13, tls12, inClear, unknown }: TlsCounts): string {
  const share = (100 * count) / (tls13 + tls12 + inClear + unknown)
  if (count === 0) return '(0\u00a0%)'
  if (share < 1) return '(under 1\u00a0%)'
  return share > 99 && share < 100 ? '(over 99\u00a0%)' : `(${Math.round(share)}\u00a0%)`
}

export interface ExpiringCertificate {
  host: string
  connector: ObservedCertificates['connector']
  daysLeft: number
  /** ISO 8601. */
  notAfter: string
}

/** The certificate in use of each host that expires first, those with the fewest days left first. */
export const expiringCertificates = (observed: readonly ObservedCertificates[]): ExpiringCertificate[] =>
  observed
    .flatMap(({ host, connector, certificates }) =>
      certificates
        .filter(({ use }) => use === 'InUse')
        .sort((a, b) => a.daysLeft - b.daysLeft)
        .slice(0, 1)
        .map(({ daysLeft, notAfter }) => ({ host, connector, daysLeft, notAfter })),
    )
    .sort((a, b) => a.daysLeft - b.daysLeft)
