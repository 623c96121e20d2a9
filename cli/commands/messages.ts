/** `messages`: lists messages, or shows the trace of one message. */
import { isIP } from 'node:net'
import * as z from 'zod'
import { dayMs, minuteMs } from '../../shared/contract/durations.ts'
import type { ApiClient, Query } from '../api/api-client.ts'
import { encodeUrlPart } from '../api/api-client.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, type Io, jsonOption, tableWidth, wideOption } from '../command.ts'
import { exitStatus, UsageError } from '../command-error.ts'
import { findConnectorId } from '../connectors/find-connectors.ts'
import { messageId } from '../input/message-id.ts'
import { parseInstant } from '../input/parse-instant.ts'
import { parseLimit } from '../input/parse-limit.ts'
import { formatTime, jsonText } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'
import { messageText } from '../trace/message-text.ts'
import { RejectedEvent, rejectedText } from '../trace/rejected-text.ts'
import { inboundSessionText, outboundSessionText, senderText } from '../trace/session-text.ts'
import { type Attempt, TraceEntry, type Verdict } from '../trace/trace-entry.ts'

const defaultLimit = 50

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
    state: {
      type: 'string',
      value: 'STATE',
      description: 'Pending, Delivered, Deferred, Bounced or Rejected',
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
    limit: { type: 'string', value: 'N', description: `list at most N messages (default: ${defaultLimit})` },
    all: { type: 'boolean', description: 'list all messages of the period' },
    ...wideOption,
    ...jsonOption,
  },
  details: `
TIME is ISO 8601 (2026-02-03, 2026-02-03T11:00:00Z), or a duration before now: 30m, 2h, 3d. The period is at most 31
days. Messages that were refused in the SMTP session are listed with --state Rejected only.
`,
  async run({ values, positionals: [id], io, api }) {
    if (id !== undefined) return showOne(api, checkedId(id, values), values.json, io)
    const limit = values.all ? Number.POSITIVE_INFINITY : parseLimit(values.limit, defaultLimit)
    const query = await queryOf(values, api, io.now())
    const { entries, more } = await takeEntries(api, query, limit)
    const width = tableWidth(values, io)
    if (values.json) io.out(jsonText(entries))
    else if (entries.length === 0) io.out('No messages found.\n')
    else if (query.state === 'Rejected') io.out(`${rejectedText(entries.map(parseRejected), width)}\n`)
    else io.out(`${listText(entries.map(parseEntry), width)}\n`)
    if (more) io.err(`There are more messages: use --limit N or --all.\n`)
    return exitStatus.ok
  },
})

/** @throws UsageError for a filter beside the id, which would have no effect */
function checkedId(id: string, values: Readonly<Record<string, unknown>>): string {
  const spans = ['since', 'until', 'limit', 'all']
  const filters = [...spans, 'sender', 'recipient', 'state', 'connector', 'message-id', 'client-ip']
  const given = filters.find((name) => values[name] !== undefined && values[name] !== false)
  if (given === undefined) return id
  throw new UsageError(`--${given} has no effect beside a message id`)
}

async function showOne(api: ApiClient, id: string, json: boolean, io: Io) {
  const response = await api.get(z.unknown(), `/messages/${encodeUrlPart(messageId(id))}`)
  if (json) io.out(jsonText(response))
  else io.out(`${messageText(parseEntry(response))}\n`)
  return exitStatus.ok
}

const parseEntry = (response: unknown): TraceEntry => parseResponse(TraceEntry, response, 'trace')

const parseRejected = (response: unknown) => parseResponse(RejectedEvent, response, 'event')

interface Filters {
  readonly since: string | undefined
  readonly until: string | undefined
  readonly sender: string | undefined
  readonly recipient: string | undefined
  readonly state: string | undefined
  readonly connector: string | undefined
  readonly 'message-id': string | undefined
  readonly 'client-ip': string | undefined
}

async function queryOf(filters: Filters, api: ApiClient, now: number): Promise<Query> {
  const { sender, recipient, state, connector } = filters
  const since = filters.since && parseInstant('--since', filters.since, now)
  const until = filters.until && parseInstant('--until', filters.until, now)
  return {
    since,
    until: until ?? (since && endOfMaxPeriod(since, now)),
    sender,
    recipient,
    state: state && parseState(state),
    connector: connector && (await findConnectorId(api, connector)),
    messageId: filters['message-id'],
    clientIp: filters['client-ip'] && parseClientIp(filters['client-ip']),
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

const states = ['Pending', 'Delivered', 'Deferred', 'Bounced', 'Rejected']

function parseState(text: string): string {
  const state = states.find((name) => name.toLowerCase() === text.toLowerCase())
  if (state !== undefined) return state
  throw new UsageError(`--state ${text}: not a state; the states are ${states.join(', ')}`)
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
