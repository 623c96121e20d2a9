/** `messages`: lists messages, or shows the trace of one. */
import { z } from 'zod'
import { dayMs, minuteMs } from '../../shared/contract/durations.ts'
import type { ApiClient, Query } from '../api/client.ts'
import { escaped } from '../api/client.ts'
import { knownAnswer } from '../api/known-answer.ts'
import { command, jsonOption, type World } from '../command.ts'
import { findConnectors } from '../connectors/find-connectors.ts'
import { exit, Fault, UsageFault } from '../faults.ts'
import { parseInstant } from '../input/parse-instant.ts'
import { table } from '../text/table.ts'
import { jsonText, printable, timeOf } from '../text/words.ts'
import { messageText } from '../trace/message-text.ts'
import { cameIn, leftBy, senderText } from '../trace/session-words.ts'
import { type Attempt, Entry, type Verdict } from '../trace/trace-entry.ts'

const defaultLimit = 50

export const messages = command({
  name: 'messages',
  summary: 'List messages, newest first, or show the trace of one',
  takes: { shown: '[ID]', least: 0, most: 1 },
  usesApi: true,
  options: {
    since: {
      type: 'string',
      value: 'TIME',
      says: 'received at or after TIME (default: 24 hours before --until)',
    },
    until: { type: 'string', value: 'TIME', says: 'received before TIME (default: now)' },
    sender: {
      type: 'string',
      value: 'ADDRESS',
      says: 'an address, a domain, or <> for delivery status notifications',
    },
    recipient: { type: 'string', value: 'ADDRESS', says: 'an address or a domain' },
    state: { type: 'string', value: 'STATE', says: 'Pending, Delivered, Deferred or Bounced' },
    connector: { type: 'string', value: 'NAME|ID', says: 'only messages that this connector was applied to' },
    limit: { type: 'string', value: 'N', says: `list at most N messages (default: ${defaultLimit})` },
    all: { type: 'boolean', says: 'list all messages' },
    ...jsonOption,
  },
  details: `
TIME is ISO 8601 (2026-02-03, 2026-02-03T11:00:00Z), or a duration before now: 30m, 2h, 3d. The period is at most 31
days. Messages that were refused in the SMTP session are not listed.
`,
  async run({ values, positionals: [id], world, api }) {
    if (id !== undefined) return showOne(api, id, values.json, world)
    const limit = values.all ? Number.POSITIVE_INFINITY : limitOf(values.limit)
    const { entries, more } = await take(api, await queryOf(values, api, world.now()), limit)
    if (values.json) world.out(jsonText(entries))
    else if (entries.length === 0) world.out('No messages found.\n')
    else world.out(`${listText(entries.map(entryOf))}\n`)
    if (more) world.err(`There are more messages: use --limit N or --all.\n`)
    return exit.ok
  },
})

async function showOne(api: ApiClient, id: string, json: boolean, world: World) {
  const answer = await api.get(z.unknown(), `/messages/${escaped(id)}`)
  if (json) world.out(jsonText(answer))
  else world.out(`${messageText(entryOf(answer))}\n`)
  return exit.ok
}

const entryOf = (answer: unknown): Entry => knownAnswer(Entry, answer, 'trace')

interface Asked {
  readonly since: string | undefined
  readonly until: string | undefined
  readonly sender: string | undefined
  readonly recipient: string | undefined
  readonly state: string | undefined
  readonly connector: string | undefined
}

async function queryOf(asked: Asked, api: ApiClient, now: number): Promise<Query> {
  const { sender, recipient, state, connector } = asked
  const since = asked.since && parseInstant('--since', asked.since, now)
  const until = asked.until && parseInstant('--until', asked.until, now)
  return {
    since,
    until: until ?? (since && endOfMaxPeriod(since, now)),
    sender,
    recipient,
    state: state && stateOf(state),
    connector: connector && (await onlyId(api, connector)),
  }
}

const maxPeriodMs = 31 * dayMs

/** The API's clock is a moment later. Without an end, the longest period would then be too long. */
function endOfMaxPeriod(since: string, now: number): string | undefined {
  const marginMs = maxPeriodMs - (now - Date.parse(since))
  return marginMs >= 0 && marginMs < minuteMs ? new Date(now).toISOString() : undefined
}

const states = ['Pending', 'Delivered', 'Deferred', 'Bounced']

function stateOf(text: string): string {
  const state = states.find((one) => one.toLowerCase() === text.toLowerCase())
  if (state !== undefined) return state
  throw new UsageFault(`--state ${text}: not a state; the states are ${states.join(', ')}`)
}

async function onlyId(api: ApiClient, nameOrId: string): Promise<string> {
  const [first, second] = await findConnectors(api, nameOrId)
  if (second === undefined) return first?.connector.id ?? ''
  throw new Fault(`an inbound and an outbound connector have the name "${nameOrId}"; give an id instead`, [
    ...[first, second].map((one) => `${one?.connector.id}  ${one?.kind.one}`),
  ])
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return defaultLimit
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text)
  throw new UsageFault(`--limit ${text}: not a number from 1 to 9999999`)
}

async function take(api: ApiClient, query: Query, limit: number) {
  const entries: unknown[] = []
  for await (const entry of api.list(z.unknown(), '/messages', query, limit)) {
    if (entries.length === limit) return { entries, more: true }
    entries.push(entry)
  }
  return { entries, more: false }
}

/** Writes a row for each recipient. */
function listText(entries: readonly Entry[]): string {
  const rows = entries.flatMap((entry) =>
    entry.recipients.map((recipient) => [
      timeOf(entry.receivedAt),
      recipient.state,
      senderText(entry.envelope.mailFrom),
      printable(recipient.address),
      cameIn(entry),
      wayOut(recipient),
      entry.id,
    ]),
  )
  return table(['Received', 'State', 'From', 'To', 'Inbound', 'Outbound, or reason', 'Id'], rows)
}

/** Describes the session that delivered the message, or the reason for the delay or bounce. */
function wayOut({ state, verdict, attempts }: Entry['recipients'][number]): string {
  if (state === 'Deferred' || state === 'Bounced') return verdict === null ? '' : whyNot(verdict)
  const last = attempts.at(-1)
  if (state !== 'Delivered' || last === undefined) return ''
  const onTrial = (verdict?.reportOnly ?? last.reportOnly) === null ? '' : ', report only: would be refused'
  return `${sessionOf(last)}${onTrial}`
}

/** Returns the next hop's reply if there is one, else the reason. */
function whyNot({ reason, reply }: Verdict): string {
  const answered = reply !== null && (reason === 'RetryLater' || reason === 'RefusedByNextHop')
  return answered ? printable(reply).slice(0, 60) : reason
}

function sessionOf(attempt: Attempt): string {
  const { tls } = attempt
  if (tls === null) return leftBy(attempt)
  return `${tls.protocol}, ${tls.verified ? 'verified' : 'not verified'}`
}
