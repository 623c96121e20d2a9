/** The SQL that groups past mail by the facts on which decisions depend. Pure. */
import type { MailEvent } from '../contract/events.ts'
import { type ColumnType, eventColumns } from '../events/event-columns.ts'
import { comparableMailbox } from '../mail/address.ts'
import type { Settings } from '../policy/evaluate.ts'
import { arrivalColumns, attemptColumns, type MailFacts, rejectionColumns } from './dry-run/mail-facts.ts'
import type { MailScope } from './mail-scope.ts'
import { at, happenedIn, ofMessagesReceivedIn, sqlText, type TimeRange } from './sql.ts'

/** Groups that a dry run decides about, in about half a millisecond each. */
export const maxGroups = 10_000

/** Mail with the same facts. */
export interface MailGroup {
  facts: MailFacts
  /** Recipients, or refusals. */
  count: number
  /** Ids of messages; of refusals, of events. */
  samples: string[]
  /** `count` of all groups, also of those beyond `maxGroups`. */
  total: number
}

/** Columns after those of the facts. */
const leading = ['isRejected', 'at', 'sender', 'recipient', 'hasOtherRecipients'] as const
const trailing = ['count', 'first', 'last', 'total'] as const

const eventColumnType = new Map<string, ColumnType>(eventColumns.map(({ name, type }) => [name, type]))

const sqlTypes: Readonly<Record<ColumnType, string>> = {
  text: 'varchar',
  boolean: 'boolean',
  integer: 'integer',
  timestamp: 'timestamp',
}

const nothing = (column: string): string => `CAST(NULL AS ${sqlTypes[eventColumnType.get(column) ?? 'text']})`

const quoted = (column: string): string => `"${column}"`
const aliased = (prefix: string, columns: readonly string[]): string[] =>
  columns.map((column) => `${quoted(column)} AS ${prefix}_${column}`)

/** Octets of a query (https://docs.aws.amazon.com/athena/latest/ug/service-limits.html). */
const maxSqlOctets = 262_144

/** @param scope the mail that the changed connectors can concern. With too many domains for a query, all mail is read */
export function mailFactsSql(table: string, range: TimeRange, scope: MailScope, settings: Settings): string {
  const sql = scopedSql(table, range, scope, settings)
  return Buffer.byteLength(sql) <= maxSqlOctets ? sql : scopedSql(table, range, 'All', settings)
}

function scopedSql(table: string, range: TimeRange, scope: MailScope, settings: Settings): string {
  const anySender = `CASE WHEN senderDomain IS NULL THEN sender ELSE 'any@' || senderDomain END`
  const arrival = arrivalColumns.map((column) => `arrival_${column}`)
  const attempt = attemptColumns.map((column) => `attempt_${column}`)
  const grouped = ['anySender', 'anyRecipient', 'hasOthers', ...arrival, ...attempt].join(', ')
  const rejectedColumns = [
    'anySender',
    'anyRecipient',
    'hasOthers',
    ...arrival,
    ...rejectionColumns.map((column) => `rejection_${column}`),
  ].join(', ')
  return `WITH accepted AS (
  SELECT messageId AS acceptedId, ${at} AS receivedAt, ${anySender} AS anySender, senderDomain AS fromSender,
    coalesce(recipients, 1) > 1 AS hasOthers,
    ${aliased('arrival', arrivalColumns).join(', ')}
  FROM ${table}
  WHERE ${happenedIn(range)} AND kind = 'Accepted'
),
recipients AS (
  SELECT messageId, ${comparableRecipientSql(settings)} AS anyRecipient, max(recipientDomain) AS toDomain,
    max_by(CASE WHEN ${isKnownAttempt} THEN id END, CASE WHEN ${isKnownAttempt} THEN attempt END) AS attemptId
  FROM ${table}
  WHERE ${ofMessagesReceivedIn(range)} AND kind IN ('Decided', 'Attempted', 'Delivered', 'Bounced')
  GROUP BY messageId, recipient, recipientDomain
),
attempts AS (
  SELECT id AS attemptEvent, ${aliased('attempt', attemptColumns).join(', ')}
  FROM ${table}
  WHERE ${ofMessagesReceivedIn(range)} AND kind IN ('Attempted', 'Delivered')
),
mail AS (
  SELECT receivedAt, acceptedId, ${grouped}
  FROM accepted JOIN recipients ON acceptedId = messageId LEFT JOIN attempts ON attemptId = attemptEvent
  WHERE ${scopeSql(scope, 'fromSender', 'toDomain', 'arrival_fromDomain', unknownFrom(scope))}
),
refusals AS (
  SELECT ${at} AS refusedAt, id AS refusalId, coalesce("count", 1) AS times, ${anySender} AS anySender,
    ${comparableRecipientSql(settings)} AS anyRecipient, coalesce(recipients, 1) > 1 AS hasOthers,
    ${[...aliased('arrival', arrivalColumns), ...aliased('rejection', rejectionColumns)].join(', ')}
  FROM ${table}
  WHERE ${happenedIn(range)} AND kind = 'Rejected' AND stage IN ('Mail', 'Rcpt', 'Data')
    AND ${scopeSql(scope, 'senderDomain', 'recipientDomain', 'fromDomain', withoutSender(scope))}
),
groups AS (
  SELECT false AS isRejected, min(receivedAt) AS firstAt, ${grouped},
    ${rejectionColumns.map((column) => `${nothing(column)} AS rejection_${column}`).join(', ')},
    count(*) AS n, min(acceptedId) AS firstId, max(acceptedId) AS lastId
  FROM mail
  GROUP BY ${grouped}
  UNION ALL
  SELECT true AS isRejected, min(refusedAt) AS firstAt, anySender, anyRecipient, hasOthers, ${arrival.join(', ')},
    ${attemptColumns.map((column) => `${nothing(column)} AS attempt_${column}`).join(', ')},
    ${rejectionColumns.map((column) => `rejection_${column}`).join(', ')},
    sum(times) AS n, min(refusalId) AS firstId, max(refusalId) AS lastId
  FROM refusals
  GROUP BY ${rejectedColumns}
)
SELECT isRejected, firstAt, ${grouped}, ${rejectionColumns.map((column) => `rejection_${column}`).join(', ')},
  n, firstId, lastId, sum(n) OVER () AS total
FROM groups
ORDER BY n DESC, firstId
LIMIT ${maxGroups}`
}

/** The worker of an attempt with the decision Unknown died. */
const isKnownAttempt = "(kind = 'Delivered' OR (kind = 'Attempted' AND decision <> 'Unknown'))"

/** As `comparableRecipient`. */
function comparableRecipientSql({ tlsReportAddress, postmaster }: Settings): string {
  const special = [tlsReportAddress, postmaster?.mailbox].flatMap((address) =>
    address ? [comparableMailbox(address).toLowerCase()] : [],
  )
  const isSpecial = [
    'recipientDomain IS NULL',
    "lower(recipient) LIKE 'postmaster@%'",
    `lower(recipient) LIKE '"postmaster"@%'`,
    ...special.map((address) => `lower(recipient) = ${sqlText(address)}`),
  ].join(' OR ')
  return `CASE WHEN ${isSpecial} THEN recipient ELSE 'any@' || recipientDomain END`
}

function scopeSql(
  scope: MailScope,
  sender: string,
  recipient: string,
  from: string,
  others: readonly string[],
): string {
  if (scope === 'All') return 'true'
  const conditions = [
    ...matchesOneOf(sender, scope.senders),
    ...matchesOneOf(from, scope.senders),
    ...matchesOneOf(recipient, scope.recipients),
    ...others,
  ]
  return conditions.length === 0 ? 'false' : `(${conditions.join(' OR ')})`
}

/** A connector that requires DMARC applies to the domain of From:, too. */
const unknownFrom = (scope: MailScope): string[] =>
  scope !== 'All' && scope.hasUnknownFrom
    ? ['(arrival_fromDomain IS NULL AND arrival_clientIp IS NOT NULL)']
    : []

function withoutSender(scope: MailScope): string[] {
  const connectors = scope === 'All' ? [] : (scope.connectors ?? [])
  return connectors.length === 0
    ? []
    : [`(sender IS NULL AND inboundConnector IN (${connectors.map(sqlText).join(', ')}))`]
}

/**
 * All subdomains are in one condition: Trino compiles a filter to a method of Java, and some hundreds of LIKE exceed its
 * 64 KB ("Query exceeded maximum filters").
 * @param patterns each a domain, or `*.` and a domain, which stands for the domain and its subdomains
 */
function matchesOneOf(column: string, patterns: readonly string[]): string[] {
  if (patterns.length === 0) return []
  const parents = patterns.flatMap((pattern) => (pattern.startsWith('*.') ? [pattern.slice(2)] : []))
  const subdomain = `[.](?:${parents.join('|').replaceAll('.', '[.]')})$`
  const domains = patterns.map((pattern) => (pattern.startsWith('*.') ? pattern.slice(2) : pattern))
  return [
    `${column} IN (${domains.map(sqlText).join(', ')})`,
    ...(parents.length === 0 ? [] : [`regexp_like(${column}, ${sqlText(subdomain)})`]),
  ]
}

/** Reads a row of the result. The columns are in the order of the SQL. */
export function mailGroupOf(values: readonly (string | null)[]): MailGroup {
  const columns = [...values]
  const [isRejected, firstAt, sender, recipient, hasOtherRecipients] = columns.splice(0, leading.length)
  const arrival = readColumns(arrivalColumns, columns.splice(0, arrivalColumns.length))
  const attempt = readColumns(attemptColumns, columns.splice(0, attemptColumns.length))
  const rejection = readColumns(rejectionColumns, columns.splice(0, rejectionColumns.length))
  const [count, first, last, total] = columns.splice(0, trailing.length)
  return {
    facts: {
      at: `${String(firstAt).replace(' ', 'T')}Z`,
      ...(sender != null && { sender }),
      ...(recipient != null && { recipient }),
      hasOtherRecipients: hasOtherRecipients === 'true',
      arrival,
      rejection: isRejected === 'true' ? rejection : null,
      attempt: attempt.kind === undefined ? null : attempt,
    },
    count: Number(count),
    samples: [...new Set([String(first), String(last)])],
    total: Number(total),
  }
}

function readColumns<Name extends keyof MailEvent>(
  names: readonly Name[],
  values: readonly (string | null)[],
): Partial<Pick<MailEvent, Name>> {
  const entries = names.flatMap((name, index) => {
    const text = values[index] ?? null
    return text === null ? [] : [[name, typedValue(name, text)]]
  })
  return Object.fromEntries(entries)
}

function typedValue(name: string, text: string): string | number | boolean {
  switch (eventColumnType.get(name)) {
    case 'boolean':
      return text === 'true'
    case 'integer':
      return Number(text)
    default:
      return text
  }
}
