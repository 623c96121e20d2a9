/** `messages`: lists messages, or shows the trace of one message. */
import { isIP } from 'node:net'
import * as z from 'zod'
import { dayMs, minuteMs } from '../../shared/contract/durations.ts'
import { messageColumnNames, rejectedRow } from '../../shared/event-queries/message-columns.ts'
import { tracedRows } from '../../shared/event-queries/traced-rows.ts'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import type { ApiClient, Query } from '../api/api-client.ts'
import { encodeUrlPart } from '../api/api-client.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, type Io, jsonOption, tableWidth, wideOption } from '../command.ts'
import { CommandError, type ExitStatus, exitStatus, UsageError } from '../command-error.ts'
import { findConnectors } from '../connectors/find-connectors.ts'
import { messageId } from '../input/message-id.ts'
import { parseChoice } from '../input/parse-choice.ts'
import { parseInstant } from '../input/parse-instant.ts'
import { parseLimit } from '../input/parse-limit.ts'
import { parseSize } from '../input/parse-size.ts'
import { formatTime, jsonText } from '../text/format.ts'
import { checkFormat, csvOption, printCsv } from '../text/print-csv.ts'
import { type Column, table } from '../text/table.ts'
import { messageText } from '../trace/message-text.ts'
import { RejectedEvent, rejectedText } from '../trace/rejected-text.ts'
import { inboundSessionText, outboundSessionText, senderText } from '../trace/session-text.ts'
import { type Attempt, TraceEntry, type Verdict } from '../trace/trace-entry.ts'

const defaultLimit = 50

const states = ['Pending', 'Deferred', 'Delivered', 'Bounced', 'Rejected']
const directions = ['Originating', 'Incoming']
const tlsVersions = ['None', 'TLSv1.2', 'TLSv1.3']

/** These options are useful beside a message id. */
const formatOptions = ['wide', 'json', 'csv']

export const messages = defineCommand({
  positionalUsage: { usage: '[ID]', minCount: 0, maxCount: 1 },
  usesApi: true,
  options: {
    since: {
      type: 'string',
      value: 'TIME',
      description: 'received at or after TIME (default: 24 hours before --until)',
    },
    until: { type: 'string', value: 'TIME', description: 'received before TIME (default: now)' },
    sender: {
      type: 'string',
      value: 'ADDRESS',
      description: 'an address, a domain without its subdomains, or <> for delivery status notifications',
    },
    recipient: { type: 'string', value: 'ADDRESS', description: 'an address or a domain' },
    domain: { type: 'string', value: 'DOMAIN', description: "the sender's domain or the recipient's" },
    state: { type: 'string', value: 'STATE', description: states.join(', ') },
    direction: {
      type: 'string',
      value: 'DIRECTION',
      description: 'Originating (from the organisation) or Incoming',
    },
    connector: {
      type: 'string',
      value: 'NAME|ID',
      description: 'only messages that this connector was applied to',
    },
    'message-id': {
      type: 'string',
      value: 'ID',
      description: 'the field Message-ID, with or without its angle brackets',
    },
    'client-ip': { type: 'string', value: 'ADDRESS', description: 'IP address of the client that sent it' },
    'min-size': {
      type: 'string',
      value: 'SIZE',
      description: 'at least this size: 10MB, 500KB or a number of octets',
    },
    'tls-version': {
      type: 'string',
      value: 'VERSION',
      description: "of the client's session: None (in the clear), TLSv1.2 or TLSv1.3",
    },
    limit: { type: 'string', value: 'N', description: `list at most N messages (default: ${defaultLimit})` },
    all: { type: 'boolean', description: 'list all messages of the period' },
    ...wideOption,
    ...jsonOption,
    ...csvOption,
  },
  details: `
TIME is ISO 8601 (2026-02-03, 2026-02-03T11:00:00Z), or a duration before now: 30m, 2h, 3d. The period is at most 31
days. Messages that were refused in the SMTP session are listed with --state Rejected only. CSV has a line for each
recipient; its columns are in docs/generated/api.md.
`,
  async run({ values, positionals: [id], io, api }) {
    checkFormat(values)
    if (id !== undefined) return showOne(api, checkedId(id, values), values, io)
    const limit = values.all ? Number.POSITIVE_INFINITY : parseLimit(values.limit, defaultLimit)
    const query = await queryOf(values, api, io.now())
    if (values.csv) {
      const found = api.list(z.unknown(), '/messages', query, limit)
      const format = query.state === 'Rejected' ? rejectedCsv : tracedCsv
      if (await printCsv(found, limit, format, io)) io.err(moreText)
      return exitStatus.ok
    }
    const { entries, more } = await takeEntries(api, query, limit)
    const width = tableWidth(values, io)
    if (values.json) io.out(jsonText(entries))
    else if (entries.length === 0) io.out('No messages found.\n')
    else if (query.state === 'Rejected') io.out(`${rejectedText(entries.map(parseRejected), width)}\n`)
    else io.out(`${listText(entries.map(parseEntry), width)}\n`)
    if (more) io.err(moreText)
    return exitStatus.ok
  },
})

const moreText = 'There are more messages: use --limit N or --all.\n'

/** @throws UsageError for a filter beside the id, which would have no effect */
function checkedId(id: string, values: Readonly<Record<string, unknown>>): string {
  const given = Object.keys(values).find(
    (name) => isFilter(name) && values[name] !== undefined && values[name] !== false,
  )
  if (given === undefined) return id
  throw new UsageError(`--${given} has no effect beside a message id`)
}

const isFilter = (name: string): boolean => name in messages.options && !formatOptions.includes(name)

async function showOne(
  api: ApiClient,
  id: string,
  { json, csv }: { json: boolean; csv: boolean },
  io: Io,
): Promise<ExitStatus> {
  const response = await api.get(z.unknown(), `/messages/${encodeUrlPart(messageId(id))}`)
  if (csv) await printCsv([response], 1, tracedCsv, io)
  else if (json) io.out(jsonText(response))
  else io.out(`${messageText(parseEntry(response))}\n`)
  return exitStatus.ok
}

const parseEntry = (response: unknown): TraceEntry => parseResponse(TraceEntry, response, 'trace')

const parseRejected = (response: unknown) => parseResponse(RejectedEvent, response, 'event')

const tracedCsv = {
  columns: messageColumnNames,
  rowsOf: (response: unknown) => tracedRows(parseEntry(response)),
}
const rejectedCsv = {
  columns: messageColumnNames,
  rowsOf: (response: unknown) => [rejectedRow(parseRejected(response))],
}

interface Filters {
  readonly since: string | undefined
  readonly until: string | undefined
  readonly sender: string | undefined
  readonly recipient: string | undefined
  readonly domain: string | undefined
  readonly state: string | undefined
  readonly direction: string | undefined
  readonly connector: string | undefined
  readonly 'message-id': string | undefined
  readonly 'client-ip': string | undefined
  readonly 'min-size': string | undefined
  readonly 'tls-version': string | undefined
}

async function queryOf(filters: Filters, api: ApiClient, now: number): Promise<Query> {
  const { sender, recipient, domain, state, direction, connector } = filters
  const { 'client-ip': clientIp, 'min-size': minSize, 'tls-version': tlsVersion } = filters
  const since = filters.since && parseInstant('--since', filters.since, now)
  const until = filters.until && parseInstant('--until', filters.until, now)
  return {
    from: since,
    to: until ?? (since && endOfMaxPeriod(since, now)),
    sender,
    recipient,
    domain: domain && parseDomain(domain),
    state: state && parseChoice('--state', state, 'state', states),
    direction: direction && parseChoice('--direction', direction, 'direction', directions),
    connector: connector && (await findConnectorId(api, connector)),
    messageId: filters['message-id'],
    clientIp: clientIp && parseClientIp(clientIp),
    minSize: minSize && parseSize('--min-size', minSize),
    tlsVersion: tlsVersion && parseChoice('--tls-version', tlsVersion, 'TLS version', tlsVersions),
  }
}

const maxPeriodMs = 31 * dayMs

/**
 * Returns `now` as the end of a period that is at most a minute shorter than the maximum; undefined for other periods.
 * Without an end, the API uses its own clock a moment later as the end, and the period could exceed the maximum.
 */
function endOfMaxPeriod(since: string, now: number): string | undefined {
  const marginMs = maxPeriodMs - (now - Date.parse(since))
  return marginMs >= 0 && marginMs < minuteMs ? new Date(now).toISOString() : undefined
}

function parseClientIp(text: string): string {
  if (isIP(text) !== 0) return text
  throw new UsageError(`--client-ip ${text}: not an IP address`)
}

function parseDomain(text: string): string {
  const domain = normaliseDomain(text)
  if (domain !== null) return domain
  throw new UsageError(`--domain ${text}: not a domain; example: contoso.com`)
}

async function findConnectorId(api: ApiClient, nameOrId: string): Promise<string> {
  const [first, second] = await findConnectors(api, nameOrId)
  if (second === undefined) return first?.connector.id ?? ''
  throw new CommandError(
    `an inbound and an outbound connector have the name "${nameOrId}"; give an id instead`,
    [...[first, second].map((found) => `${found?.connector.id}  ${found?.kind.singular}`)],
  )
}

async function takeEntries(api: ApiClient, query: Query, limit: number) {
  const entries: unknown[] = []
  for await (const entry of api.list(z.unknown(), '/messages', query, limit)) {
    if (entries.length === limit) return { entries, more: true }
    entries.push(entry)
  }
  return { entries, more: false }
}

const columns: readonly Column[] = [
  { heading: 'Received' },
  { heading: 'State' },
  { heading: 'From', minWidth: 30 },
  { heading: 'To', minWidth: 30 },
  { heading: 'Inbound', minWidth: 12 },
  { heading: 'Outbound, or reason', minWidth: 19 },
  { heading: 'Id' },
]

/** Writes a row for each recipient. */
function listText(entries: readonly TraceEntry[], width: number | undefined): string {
  const rows = entries.flatMap((entry) =>
    entry.recipients.map((recipient) => [
      formatTime(entry.receivedAt),
      recipient.state,
      senderText(entry.envelope.mailFrom),
      recipient.address,
      `${inboundSessionText(entry)}${recipient.verdict?.reportOnly ? reportOnlyText : ''}`,
      outboundText(recipient),
      entry.id,
    ]),
  )
  return table(columns, rows, width)
}

/** Describes the session that delivered the message, or the reason for the delay or bounce. */
function outboundText({ state, verdict, attempts }: TraceEntry['recipients'][number]): string {
  if (state === 'Deferred' || state === 'Bounced') return verdict === null ? '' : reasonText(verdict)
  const last = attempts.at(-1)
  if (state !== 'Delivered' || last === undefined) return ''
  return `${sessionOf(last)}${last.reportOnly === null ? '' : reportOnlyText}`
}

const reportOnlyText = ', report only: requirement not met'

/** Returns the reply of the last attempt if it explains the state, else the reason. */
function reasonText({ reason, reply }: Verdict): string {
  const hasReply = reply !== null && (reason === 'RetryLater' || reason === 'RefusedByNextHop')
  return hasReply ? reply : reason
}

function sessionOf(attempt: Attempt): string {
  const { tls } = attempt
  if (tls === null) return outboundSessionText(attempt)
  return `${tls.protocol}, ${tls.verified ? 'verified' : 'not verified'}`
}
