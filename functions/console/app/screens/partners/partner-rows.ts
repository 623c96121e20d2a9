/** The rows of the table of partners: each pair with its numbers. Filters and sorts them. Pure. */
import type { ObservedCertificates, QueueList, Report } from '../../api/types.ts'
import { levelIn, levelOut } from './connector-text.ts'
import { type Pair, titleOf } from './partner-pairs.ts'
import { type Stage, stageOf, stageTexts } from './stages.ts'

export interface PartnerRow {
  pair: Pair
  title: string
  levelIn: string | null
  levelOut: string | null
  stageIn: Stage | null
  stageOut: Stage | null
  mailIn: number
  mailOut: number
  /** Time of the last mail in the period, ISO 8601; null: none. */
  lastIn: string | null
  lastOut: string | null
  /** Share of the mail whose TLS is known, from 0 to 1; null without such mail. */
  tls13: number | null
  inClear: number
  refused: number
  /** Attempts without the required TLS. */
  tlsNotMet: number
  /** Recipients whose mail is held or deferred. */
  waiting: number
  /** The connector that decided about most of them. */
  waitingConnector: string | null
  /** Of the certificate in use that expires first; null: none was seen. */
  daysLeft: number | null
  validation: { at: string; succeeded: boolean } | null
  warnings: Warning[]
}

/** What an administrator should look at: the API's warnings about the connectors, and what happened since. */
export interface Warning {
  /** In a table. */
  short: string
  /** Of a warning of the API, the field of the connector. */
  long: string
}

const expiryWarningDays = 14

/** Which numbers are there. The columns of the others show none. */
export type Sources = { [Source in keyof Numbers]: 'Pending' | 'Failed' | 'Ready' }

export interface Numbers {
  tls: Pick<Report, 'rows'>
  rejected: Pick<Report, 'rows'>
  queues: Pick<QueueList, 'items'>
  certificates: readonly ObservedCertificates[]
}

export function partnerRows(pairs: readonly Pair[], numbers: Numbers): PartnerRow[] {
  const tls = Map.groupBy(numbers.tls.rows, ({ direction, connector }) => `${direction} ${connector}`)
  const rejected = Map.groupBy(numbers.rejected.rows, ({ connector }) => connector)
  const waiting = Map.groupBy(numbers.queues.items, ({ connector }) => connector)
  const certificates = Map.groupBy(numbers.certificates, ({ connector }) => connector?.id)
  return pairs.map((pair) => {
    const { inbound, outbound } = pair
    const ids = [inbound?.id, outbound?.id].filter((id) => id !== undefined)
    const rowsIn = inbound ? (tls.get(`Inbound ${inbound.name}`) ?? []) : []
    const rowsOut = outbound ? (tls.get(`Outbound ${outbound.name}`) ?? []) : []
    const rows = [...rowsIn, ...rowsOut]
    const [tls13, tls12, inClear] = ['tls13', 'tls12', 'inClear'].map((column) => sumOf(rows, column)) as [
      number,
      number,
      number,
    ]
    const known = tls13 + tls12 + inClear
    const inUse = ids
      .flatMap((id) => certificates.get(id) ?? [])
      .flatMap((observed) => observed.certificates.filter(({ use }) => use === 'InUse'))
    const daysLeft = inUse.length === 0 ? null : Math.min(...inUse.map((each) => each.daysLeft))
    const validation = outbound?.validation ?? null
    const groups = ids.flatMap((id) => waiting.get(id) ?? [])
    return {
      pair,
      title: titleOf(pair),
      levelIn: inbound && levelIn(inbound),
      levelOut: outbound && levelOut(outbound),
      stageIn: inbound && stageOf('inbound', inbound),
      stageOut: outbound && stageOf('outbound', outbound),
      mailIn: messagesOf(rowsIn),
      mailOut: messagesOf(rowsOut),
      lastIn: lastMailOf(rowsIn),
      lastOut: lastMailOf(rowsOut),
      tls13: known === 0 ? null : tls13 / known,
      inClear,
      refused: inbound ? sumOf(rejected.get(inbound.name) ?? [], 'count') : 0,
      tlsNotMet: sumOf(rowsOut, 'refused'),
      waiting: groups.reduce((sum, { recipients }) => sum + recipients, 0),
      waitingConnector: groups.toSorted((a, b) => b.recipients - a.recipients)[0]?.connector ?? null,
      daysLeft,
      validation: validation && { at: validation.at, succeeded: validation.succeeded },
      warnings: [...connectorWarnings(pair), ...measuredWarnings(validation, daysLeft)],
    }
  })
}

/** The warnings of the API, which are also in the answer to a write. */
export const connectorWarnings = ({ inbound, outbound }: Pick<Pair, 'inbound' | 'outbound'>): Warning[] =>
  [inbound, outbound]
    .filter((connector) => connector !== null)
    .flatMap(({ name, warnings }) => namedWarnings(name, warnings))

/** @param name of the connector */
export const namedWarnings = (
  name: string,
  warnings: readonly { path: string; message: string }[],
): Warning[] =>
  warnings.map(({ path, message }) => ({
    short: message,
    long: `${name}: ${path === '' ? '' : `${path}: `}${message}`,
  }))

/** Warnings about what was measured, which the API does not know as such. */
export const measuredWarnings = (
  validation: { succeeded: boolean } | null,
  daysLeft: number | null,
): Warning[] => [
  ...(validation?.succeeded === false
    ? [{ short: 'validation failed', long: 'A step of the last validation failed.' }]
    : []),
  ...(daysLeft !== null && daysLeft <= expiryWarningDays
    ? [
        {
          short: 'certificate expires',
          long: `A certificate in use has expired, or expires within ${expiryWarningDays} days.`,
        },
      ]
    : []),
]

type ReportRow = Report['rows'][number]

export const sumOf = (rows: readonly ReportRow[], column: string): number =>
  rows.reduce((sum, row) => sum + Number(row[column] ?? 0), 0)

export const lastMailOf = (rows: readonly ReportRow[]): string | null =>
  rows
    .flatMap(({ lastMail }) => (typeof lastMail === 'string' ? [lastMail] : []))
    .sort()
    .at(-1) ?? null

/** The messages that were accepted or delivered. */
export const messagesOf = (rows: readonly ReportRow[]): number =>
  ['tls13', 'tls12', 'inClear', 'unknown'].reduce((sum, column) => sum + sumOf(rows, column), 0)

/** Rows whose domains, connectors, levels, stages or warnings contain each word. */
export function filterRows(rows: readonly PartnerRow[], text: string): PartnerRow[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return rows.filter((row) => {
    const { pair } = row
    const searched = [
      ...pair.domains,
      pair.inbound?.name,
      pair.outbound?.name,
      row.levelIn,
      row.levelOut,
      row.stageIn && stageTexts.inbound[row.stageIn].label,
      row.stageOut && stageTexts.outbound[row.stageOut].label,
      ...row.warnings.map(({ long }) => long),
    ]
      .join(' ')
      .toLowerCase()
    return words.every((word) => searched.includes(word))
  })
}

const levels = ['Opportunistic', 'EncryptionOnly', 'CertificateValidation', 'DomainValidation', 'Dane']
const levelRank = (level: string | null): number => levels.indexOf(level?.split(',')[0] ?? '') + 1

const sortKeys = {
  partner: ({ title }: PartnerRow) => title,
  level: ({ levelIn, levelOut }: PartnerRow) => levelRank(levelIn) + levelRank(levelOut),
  mail: ({ mailIn, mailOut }: PartnerRow) => mailIn + mailOut,
  tls13: ({ tls13 }: PartnerRow) => tls13 ?? -1,
  clear: ({ inClear }: PartnerRow) => inClear,
  refused: ({ refused, tlsNotMet }: PartnerRow) => refused + tlsNotMet,
  waiting: ({ waiting }: PartnerRow) => waiting,
  certificate: ({ daysLeft }: PartnerRow) => daysLeft ?? Number.POSITIVE_INFINITY,
  warnings: ({ warnings }: PartnerRow) => warnings.length,
} as const
export type SortKey = keyof typeof sortKeys

export const isSortKey = (text: string | undefined): text is SortKey =>
  text !== undefined && Object.hasOwn(sortKeys, text)

/** Equal rows are sorted by their titles. */
export function sortRows(rows: readonly PartnerRow[], key: SortKey, isDescending: boolean): PartnerRow[] {
  const keyOf = sortKeys[key]
  const sign = isDescending ? -1 : 1
  return rows.toSorted((a, b) => {
    const [first, second] = [keyOf(a), keyOf(b)]
    const order =
      typeof first === 'string' && typeof second === 'string'
        ? first.localeCompare(second)
        : first === second
          ? 0
          : Number(first) - Number(second)
    return sign * order || a.title.localeCompare(b.title)
  })
}
