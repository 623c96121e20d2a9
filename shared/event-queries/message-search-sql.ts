/** The SQL of a search for messages: a row for each recipient and each refusal, with the columns of messages. Pure. */
import { formulaStarts } from '../http-api/csv.ts'
import { domainOf } from '../mail/address.ts'
import { type AddressHash, hashedAddress } from '../mail/address-hash.ts'
import type { MailboxFilter } from '../mail/mailbox-filter.ts'
import { bareMessageId } from '../messages/header-message-id.ts'
import { messageColumnNames } from './message-columns.ts'
import type { MessageCriteria } from './message-filters.ts'
import { at, equalsIgnoringCase, happenedIn, ofMessagesReceivedIn, sqlText, type TimeRange } from './sql.ts'

export interface MessageSearch extends TimeRange, MessageCriteria {
  /** Null: any, and refusals too. */
  state: 'Pending' | 'Deferred' | 'Delivered' | 'Bounced' | 'Rejected' | null
  /** Finds addresses that are hashed, and also those that were stored plain before. Null: all are plain. */
  hash: AddressHash | null
}

/** Rows of a result. A search that finds more finds the newest. */
export const maxFound = 100_000

/** @param table name of the table of events */
export function messageSearchSql(table: string, search: MessageSearch): string {
  const { state } = search
  const parts = [
    ...(state === 'Rejected' ? [] : [recipientsSql(search)]),
    ...(state === null || state === 'Rejected' ? [rejectedSql(table, search)] : []),
  ]
  const tables = state === 'Rejected' ? '' : `WITH ${messageTables(table, search)}\n`
  return `${tables}${parts.join('\nUNION ALL\n')}\nORDER BY origin_timestamp_utc DESC, network_message_id, recipient_address\nLIMIT ${maxFound}`
}

type ColumnName = (typeof messageColumnNames)[number]

const selectList = (expressions: Readonly<Record<ColumnName, string>>): string =>
  messageColumnNames.map((name) => `${expressions[name]} AS ${name}`).join(',\n  ')

/**
 * The last value in events of these kinds. DuckDB leaves out rows whose value is null, and Trino does not, so the time of
 * such a row is null too, and both leave it out.
 */
function lastOf(value: string, ...kinds: string[]): string {
  const known = `kind IN (${kinds.map(sqlText).join(', ')}) AND ${value} IS NOT NULL`
  return `max_by(CASE WHEN ${known} THEN ${value} END, CASE WHEN ${known} THEN ${at} END)`
}

const attempts = ['Attempted', 'Delivered']

const finalState = `CASE
    WHEN count_if(kind = 'Delivered') > 0 THEN 'Delivered'
    WHEN count_if(kind = 'Bounced') > 0 THEN 'Bounced'
    ELSE ${lastOf('state', 'Decided')}
  END`

const statusOf = (states: string): string => `CASE ${states}
    WHEN 'Delivered' THEN 'Receive, Send'
    WHEN 'Bounced' THEN 'Receive, Fail'
    WHEN 'Deferred' THEN 'Receive, Defer'
    ELSE 'Receive' END`

/** A text of another server, with an apostrophe where a spreadsheet would take it as a formula (shared/http-api/csv.ts). */
const withApostrophe = (text: string): string =>
  `CASE WHEN substr(${text}, 1, 1) IN (${formulaStarts.map(sqlText).join(', ')}) THEN '''' || ${text} ELSE ${text} END`

const senderText = (column: string): string =>
  `CASE WHEN ${column} = '' THEN '<>' ELSE ${withApostrophe(column)} END`

const messageTables = (table: string, search: MessageSearch): string => `accepted AS (
  SELECT messageId, ${at} AS receivedAt, sender, senderDomain, direction, clientIp, headerMessageId, size,
    CASE WHEN clientIp IS NULL THEN NULL ELSE coalesce(tlsVersion, 'None') END AS clientTls, helo, inboundConnector
  FROM ${table}
  WHERE ${all([happenedIn(search), "kind = 'Accepted'", ...messageConditions(search)])}
),
recipients AS (
  SELECT messageId, recipient, max(recipientDomain) AS recipientDomain,
    ${finalState} AS state,
    coalesce(${lastOf('reason', 'Bounced')}, ${lastOf('reason', 'Decided')}) AS reason,
    coalesce(${lastOf('reply', 'Bounced')}, ${lastOf('reply', ...attempts)}) AS reply,
    ${lastOf('host', ...attempts)} AS host,
    ${lastOf("coalesce(tlsVersion, CASE WHEN tlsResult IS NOT NULL THEN 'None' END)", ...attempts)} AS serverTls,
    ${lastOf('verified', ...attempts)} AS verified,
    ${lastOf('inboundConnector', 'Decided', 'Bounced')} AS inboundConnector,
    ${lastOf('outboundConnector', 'Decided', 'Bounced', ...attempts)} AS outboundConnector
  FROM ${table}
  WHERE ${all([
    ofMessagesReceivedIn(search),
    "kind IN ('Decided', 'Attempted', 'Delivered', 'Bounced')",
    ...messageConditions({ ...search, tlsVersion: null }),
    ...addressConditions('recipient', 'recipientDomain', search.recipient, search.hash),
  ])}
  GROUP BY messageId, recipient
)`

function recipientsSql({ state, connector, domain }: MessageSearch): string {
  return `SELECT
  ${selectList({
    origin_timestamp_utc: 'a.receivedAt',
    sender_address: senderText('a.sender'),
    recipient_status: `${withApostrophe('r.recipient')} || '##' || ${statusOf('r.state')}`,
    total_bytes: 'a.size',
    message_id: withApostrophe('a.headerMessageId'),
    network_message_id: 'a.messageId',
    original_client_ip: 'a.clientIp',
    directionality: 'a.direction',
    connector_id: 'coalesce(a.inboundConnector, r.inboundConnector, r.outboundConnector)',
    client_hostname: withApostrophe('a.helo'),
    server_hostname: withApostrophe('r.host'),
    recipient_address: withApostrophe('r.recipient'),
    state: 'r.state',
    tls_version: 'a.clientTls',
    inbound_connector: 'coalesce(a.inboundConnector, r.inboundConnector)',
    outbound_connector: 'r.outboundConnector',
    server_tls_version: 'r.serverTls',
    server_verified: 'r.verified',
    reason: 'r.reason',
    reply: withApostrophe('r.reply'),
    stage: 'CAST(NULL AS varchar)',
    count: 'CAST(NULL AS integer)',
  })}
FROM accepted a JOIN recipients r ON a.messageId = r.messageId
WHERE ${all([
    'true',
    ...(state === null ? [] : [`r.state = ${sqlText(state)}`]),
    ...(domain === null
      ? []
      : [`(a.senderDomain = ${sqlText(domain)} OR r.recipientDomain = ${sqlText(domain)})`]),
    ...(connector === null
      ? []
      : [
          `${sqlText(connector)} IN (coalesce(a.inboundConnector, ''), coalesce(r.inboundConnector, ''), coalesce(r.outboundConnector, ''))`,
        ]),
  ])}`
}

function rejectedSql(table: string, search: MessageSearch): string {
  const { connector, domain, tlsVersion } = search
  const isDetailed = '"count" IS NULL'
  const clientTls = `coalesce(tlsVersion, CASE WHEN ${isDetailed} THEN 'None' END)`
  return `SELECT
  ${selectList({
    origin_timestamp_utc: at,
    sender_address: senderText('sender'),
    recipient_status: `coalesce(${withApostrophe('recipient')}, '') || '##Fail'`,
    total_bytes: 'size',
    message_id: withApostrophe('headerMessageId'),
    network_message_id: 'messageId',
    original_client_ip: 'clientIp',
    directionality: 'direction',
    connector_id: 'inboundConnector',
    client_hostname: withApostrophe('helo'),
    server_hostname: 'CAST(NULL AS varchar)',
    recipient_address: withApostrophe('recipient'),
    state: "'Rejected'",
    tls_version: clientTls,
    inbound_connector: 'inboundConnector',
    outbound_connector: 'CAST(NULL AS varchar)',
    server_tls_version: 'CAST(NULL AS varchar)',
    server_verified: 'CAST(NULL AS boolean)',
    reason: 'reason',
    reply: withApostrophe('reply'),
    stage: 'stage',
    count: 'coalesce("count", 1)',
  })}
FROM ${table}
WHERE ${all([
    happenedIn(search),
    "kind = 'Rejected'",
    ...messageConditions({ ...search, tlsVersion: null }),
    ...addressConditions('recipient', 'recipientDomain', search.recipient, search.hash),
    ...(tlsVersion === null ? [] : [`${clientTls} = ${sqlText(tlsVersion)}`]),
    ...(domain === null
      ? []
      : [`(senderDomain = ${sqlText(domain)} OR recipientDomain = ${sqlText(domain)})`]),
    ...(connector === null ? [] : [`inboundConnector = ${sqlText(connector)}`]),
  ])}`
}

const all = (conditions: readonly string[]): string => conditions.join('\n    AND ')

function messageConditions({
  sender,
  direction,
  messageId,
  clientIp,
  minSize,
  tlsVersion,
  hash,
}: MessageSearch): string[] {
  const bare = messageId === null ? undefined : bareMessageId(messageId)
  return [
    ...addressConditions('sender', 'senderDomain', sender, hash),
    ...(direction === null ? [] : [`direction = ${sqlText(direction)}`]),
    ...(bare === undefined ? [] : [`headerMessageId IN (${sqlText(bare)}, ${sqlText(`<${bare}>`)})`]),
    ...(clientIp === null ? [] : [`clientIp = ${sqlText(clientIp)}`]),
    ...(minSize === null ? [] : [`size >= ${Math.trunc(minSize)}`]),
    ...(tlsVersion === null
      ? []
      : [`clientIp IS NOT NULL AND coalesce(tlsVersion, 'None') = ${sqlText(tlsVersion)}`]),
  ]
}

function addressConditions(
  column: string,
  domainColumn: string,
  filter: MailboxFilter | null,
  hash: AddressHash | null,
): string[] {
  if (filter === null) return []
  if (filter.kind === 'domain') return [`${domainColumn} = ${sqlText(filter.domain)}`]
  const { address } = filter
  const stored = hash === null || address === '' ? [address] : [address, hashedAddress(address, hash)]
  return [`(${stored.flatMap((each) => spelledConditions(column, domainColumn, each)).join(' OR ')})`]
}

/** The domain of an address is compared apart, because it may be spelled in another way (A-labels). */
function spelledConditions(column: string, domainColumn: string, address: string): string[] {
  const whole = equalsIgnoringCase(column, address)
  const domain = domainOf(address)
  if (domain === null) return [whole]
  const localPart = address.slice(0, address.lastIndexOf('@') + 1).toLowerCase()
  return [
    whole,
    `(${domainColumn} = ${sqlText(domain)} AND starts_with(lower(${column}), ${sqlText(localPart)}))`,
  ]
}

/** Columns whose values the SQL protects with an apostrophe. */
const protectedColumns: ReadonlySet<string> = new Set([
  'sender_address',
  'recipient_status',
  'message_id',
  'client_hostname',
  'server_hostname',
  'recipient_address',
  'reply',
])

/**
 * Returns a row of a result with values of their types, and texts without the apostrophe that protects spreadsheets.
 * @param columns names, as Athena gives them
 */
export const foundRow = (
  columns: readonly string[],
  values: readonly (string | null)[],
): Record<string, string | number | boolean | null> =>
  Object.fromEntries(columns.map((column, index) => [column, typedValue(column, values[index] ?? null)]))

function typedValue(column: string, text: string | null): string | number | boolean | null {
  if (text === null) return null
  switch (column) {
    case 'origin_timestamp_utc':
      return `${text.replace(' ', 'T')}Z`
    case 'total_bytes':
    case 'count':
      return Number(text)
    case 'server_verified':
      return text === 'true'
    default:
      return protectedColumns.has(column) && text.startsWith("'") ? text.slice(1) : text
  }
}
