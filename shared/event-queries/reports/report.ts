/** A report: named columns, and rows that are counted from the rollups of events. Pure. */
import type { HourCounts } from '../../events/day-rollup.ts'
import type { RollupRow } from '../../events/rollup-row.ts'

export interface ReportColumn {
  name: string
  type: 'date' | 'time' | 'text' | 'number'
  description: string
  /** Rows that differ only in these columns are one row, with their sum. */
  isSum?: true
  /** Rows that differ only in these columns are one row, with their latest time. */
  isLatest?: true
}

export type ReportValue = string | number | null
export type ReportRow = Record<string, ReportValue>

/** Counts of one hour, or of a day of the report's time zone. */
export interface CountedEvents {
  /** Day of the report's time zone, `YYYY-MM-DD`. */
  date: string
  row: RollupRow
  counts: Omit<HourCounts, 'hour'>
  /** Time of the last of these events, ISO 8601. If others of their hour are not counted, the beginning of the hour. */
  last: string
}

/** What a report knows besides events. */
export interface ReportContext {
  /** Returns the name of a connector, or its id if it is deleted. */
  connectorName(id: string): string
  acceptedDomains: ReadonlySet<string>
}

/** A row with the sums of one count. */
export interface Contribution {
  /** Values of the columns that are neither sums nor latest times. */
  key: ReportRow
  sums: Readonly<Record<string, number>>
  /** ISO 8601. */
  latest?: Readonly<Record<string, string>>
}

export interface CountedReport {
  /** The name of the report in the Exchange admin center, or a similar one. */
  title: string
  columns: readonly ReportColumn[]
  /** Returns what the events add to the report; nothing if they do not belong to it. */
  contribute(events: CountedEvents, context: ReportContext): Contribution | null
  /** Columns that lose their values in the smallest rows when there are too many rows. */
  mergeable: readonly string[]
  /** Returns a row with the columns that follow from the sums. */
  complete?(row: ReportRow): ReportRow
}

export const date: ReportColumn = { name: 'date', type: 'date', description: 'day of the time zone' }

export const text = (name: string, description: string): ReportColumn => ({ name, type: 'text', description })

export const sum = (name: string, description: string): ReportColumn => ({
  name,
  type: 'number',
  description,
  isSum: true,
})

export const latest = (name: string, description: string): ReportColumn => ({
  name,
  type: 'time',
  description,
  isLatest: true,
})

/** Whether a key exchange group resists a quantum computer (draft-ietf-tls-ecdhe-mlkem). */
export const isPostQuantum = (group: string | undefined): boolean => group?.includes('MLKEM') === true

/** In what a session was encrypted, by the columns of a rollup. */
export function encryptionOf({
  kind,
  tlsVersion,
  tlsResult,
}: Pick<RollupRow, 'kind' | 'tlsVersion' | 'tlsResult'>): 'None' | 'TLSv1.2' | 'TLSv1.3' | 'Unknown' {
  if (tlsVersion === 'TLSv1.2' || tlsVersion === 'TLSv1.3') return tlsVersion
  // Amazon SES does not show its sessions. Events of the client's session always show it.
  return kind === 'Delivered' && tlsResult === undefined ? 'Unknown' : 'None'
}

/** Mail that mailflow wrote, such as a DSN, came over no session. */
export const isFromClient = ({ kind, fromClient }: Pick<RollupRow, 'kind' | 'fromClient'>): boolean =>
  kind === 'Accepted' && fromClient !== false

/** Reasons for which an inbound connector refuses a client. */
export const isConnectorRefusal = (reason: string | undefined): boolean =>
  reason?.startsWith('Inbound') === true
