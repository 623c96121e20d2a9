/** `messages`: lists messages, or shows the trace of one message. */
import { decodeTime } from 'ulid'
import * as z from 'zod'
import { dayMs, minuteMs } from '../../shared/contract/durations.ts'
import { messageColumnNames, rejectedRow } from '../../shared/event-queries/message-columns.ts'
import { tracedRows } from '../../shared/event-queries/traced-rows.ts'
import { isUlid } from '../../shared/http-api/lists.ts'
import type { ApiClient, Query } from '../api/api-client.ts'
import { encodeUrlPart } from '../api/api-client.ts'
import { ApiError } from '../api/api-error.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, type Io, jsonOption, tableWidth, wideOption } from '../command.ts'
import { type ExitStatus, exitStatus, UsageError } from '../command-error.ts'
import { messageId } from '../input/message-id.ts'
import { parseInstant } from '../input/parse-instant.ts'
import { parseLimit } from '../input/parse-limit.ts'
import { formatTime, jsonText } from '../text/format.ts'
import { checkFormat, csvOption, printCsv } from '../text/print-csv.ts'
import { type Column, table } from '../text/table.ts'
import { messageFilterOptions, readMessageFilters } from '../trace/message-filters.ts'
import { messageText } from '../trace/message-text.ts'
import { RejectedEvent, rejectedText } from '../trace/rejected-text.ts'
import { inboundSessionText, outboundSessionText, senderText } from '../trace/session-text.ts'
import { type Attempt, TraceEntry, type Verdict } from '../trace/trace-entry.ts'
import { TrailEvent, trailText } from '../trace/trail-text.ts'

const defaultLimit = 50

/** These options are useful beside a message id. */
const optionsOfOne = ['events', 'wide', 'json', 'csv']

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
    ...messageFilterOptions,
    limit: { type: 'string', value: 'N', description: `list at most N messages (default: ${defaultLimit})` },
    all: { type: 'boolean', description: 'list all messages of the period' },
    events: {
      type: 'boolean',
      description: 'with ID: list the events of the message, also if its trace has expired',
    },
    ...wideOption,
    ...jsonOption,
    ...csvOption,
  },
  details: `
TIME is ISO 8601 (2026-02-03, 2026-02-03T11:00:00Z), or a duration before now: 30m, 2h, 3d. The period is at most 31
days; "messages search" goes back further. Messages that were refused in the SMTP session are listed with --state
Rejected only. CSV has a line for each recipient; its columns are in docs/generated/api.md.
`,
  async run({ values, positionals: [id], io, api }) {
    checkFormat(values)
    if (values.events && id === undefined) throw new UsageError('--events needs the id of a message')
    if (values.events && values.csv) throw new UsageError('--csv cannot be used with --events')
    if (id !== undefined) {
      const checked = messageId(checkedId(id, values))
      return values.events ? printTrail(api, checked, values, io) : printOne(api, checked, values, io)
    }
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

const isFilter = (name: string): boolean => name in messages.options && !optionsOfOne.includes(name)

type Format = Readonly<Record<'json' | 'csv' | 'wide', boolean>>

async function printOne(api: ApiClient, id: string, format: Format, io: Io): Promise<ExitStatus> {
  const response = await readOne(api, id, io)
  const isRefusal = Refusal.safeParse(response).success
  if (format.csv) await printCsv([response], 1, isRefusal ? rejectedCsv : tracedCsv, io)
  else if (format.json) io.out(jsonText(response))
  else if (isRefusal) io.out(`${rejectedText([parseRejected(response)], tableWidth(format, io))}\n`)
  else io.out(`${messageText(parseEntry(response))}\n`)
  return exitStatus.ok
}

/** A report may have the id of a refusal as a sample. */
const Refusal = z.object({ kind: z.literal('Rejected') })

async function readOne(api: ApiClient, id: string, io: Io): Promise<unknown> {
  try {
    return await api.get(z.unknown(), `/messages/${encodeUrlPart(id)}`)
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404 || !isPastUlid(id, io.now())) throw error
    throw new ApiError(error.status, error.message, [
      `If its trace has expired: npx mailflow messages ${id} --events`,
    ])
  }
}

const isPastUlid = (id: string, now: number): boolean => isUlid(id) && decodeTime(id) < now + dayMs

const MessageEvents = z.object({ events: z.array(z.unknown()), unreadSince: z.string().nullable() })

async function printTrail(
  api: ApiClient,
  id: string,
  values: { readonly json: boolean; readonly wide: boolean },
  io: Io,
): Promise<ExitStatus> {
  const { events, unreadSince } = await api.get(MessageEvents, `/messages/${encodeUrlPart(id)}/events`)
  if (values.json) io.out(jsonText(events))
  else if (events.length === 0) io.out('No events found.\n')
  else {
    const trail = events.map((event) => parseResponse(TrailEvent, event, 'event'))
    io.out(`${trailText(id, trail, tableWidth(values, io))}\n`)
  }
  if (unreadSince !== null)
    io.err(`Events from ${formatTime(unreadSince)} on are too many to read now. Try again in two hours.\n`)
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

type Values = Parameters<typeof readMessageFilters>[0] & {
  readonly since: string | undefined
  readonly until: string | undefined
}

async function queryOf(values: Values, api: ApiClient, now: number): Promise<Query> {
  const since = values.since && parseInstant('--since', values.since, now)
  const until = values.until && parseInstant('--until', values.until, now)
  return {
    from: since,
    to: until ?? (since && endOfMaxPeriod(since, now)),
    ...(await readMessageFilters(values, api)),
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
