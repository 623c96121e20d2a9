/** `messages search`: searches for messages up to the retention of events. */
import { dayMs } from '../../shared/contract/durations.ts'
import { costText } from '../../shared/event-queries/cost-text.ts'
import { maxFound } from '../../shared/event-queries/message-search-sql.ts'
import type { ApiClient } from '../api/api-client.ts'
import { defineCommand, type Io, jsonOption, tableWidth, wideOption } from '../command.ts'
import { CommandError, exitStatus, UsageError } from '../command-error.ts'
import { parseLimit } from '../input/parse-limit.ts'
import { type PeriodOptions, parsePeriod } from '../input/parse-period.ts'
import { downloadCsv } from '../search/download-csv.ts'
import { foundText } from '../search/found-text.ts'
import {
  readRows,
  resultCommand,
  type SearchPage,
  startSearch,
  waitForSearch,
} from '../search/message-search.ts'
import { formatTime, jsonText } from '../text/format.ts'
import { checkFormat, csvOption } from '../text/print-csv.ts'
import { messageFilterOptions, readMessageFilters } from '../trace/message-filters.ts'

const defaultLimit = 50
const defaultDays = 7

const filterOptions = {
  since: {
    type: 'string',
    value: 'TIME',
    description: `received at or after TIME (default: ${defaultDays} days before --until)`,
  },
  until: { type: 'string', value: 'TIME', description: 'received before TIME (default: now)' },
  ...messageFilterOptions,
} as const

export const searchMessages = defineCommand({
  usesApi: true,
  options: {
    ...filterOptions,
    id: {
      type: 'string',
      value: 'ID',
      description: 'read the result of an earlier search; kept for seven days',
    },
    limit: { type: 'string', value: 'N', description: `print at most N rows (default: ${defaultLimit})` },
    all: { type: 'boolean', description: 'print all rows' },
    ...wideOption,
    ...jsonOption,
    ...csvOption,
  },
  details: `
Searches the events, which are kept longer than the traces that "messages" lists (setting eventRetentionDays). Refusals
are found too. The search runs for seconds to minutes, and finds the newest 100,000 rows. TIME is ISO 8601 (2026-02-03,
2026-02-03T11:00:00Z), or a duration before now: 30m, 2h, 90d. CSV always has all rows; its columns are in
docs/generated/api.md.
`,
  async run({ values, io, api }) {
    checkFormat(values)
    const { id, csv } = values
    const given = Object.keys(filterOptions).find((name) => values[name as keyof typeof filterOptions])
    if (id !== undefined && given !== undefined) throw new UsageError(`--${given} has no effect beside --id`)
    if (csv && values.limit !== undefined)
      throw new UsageError('--limit cannot be used with --csv: CSV has all rows')
    const limit = values.all ? Number.POSITIVE_INFINITY : parseLimit(values.limit, defaultLimit)
    const search = id === undefined ? await start(values, api, io.now()) : { id, period: null }
    const ended = await waitForSearch(api, search.id, csv ? 1 : limit, io)
    const isBilled = id === undefined && !api.isLocal
    if (ended.state !== 'Succeeded') throw endedError(ended, isBilled)
    const found = csv
      ? await printCsvOf(ended, io)
      : await printRows(search, ended, limit, values, { api, io })
    if (found >= maxFound)
      io.err(`The search found ${maxFound} rows, the most that it can. Older ones are missing.\n`)
    const later = search.period === null ? null : laterText(search.period, values)
    if (later !== null) io.err(`${later}\n`)
    io.err(`${costText({ ...ended, isBilled })}\n`)
    return exitStatus.ok
  },
})

type Filters = PeriodOptions & Parameters<typeof readMessageFilters>[0]

/** ISO 8601. */
interface Period {
  readonly from: string
  readonly to: string
  readonly completeUntil: string
}

interface Search {
  readonly id: string
  /** Null for the result of an earlier search. */
  readonly period: Period | null
}

async function start(values: Filters, api: ApiClient, now: number): Promise<Search> {
  const given = parsePeriod(values, now)
  const to = given.to ?? new Date(now).toISOString()
  const from = given.from ?? new Date(Date.parse(to) - defaultDays * dayMs).toISOString()
  const filters = await readMessageFilters(values, api)
  const { id, completeUntil } = await startSearch(api, { from, to, ...filters })
  return { id, period: { from, to, completeUntil } }
}

function endedError(ended: SearchPage, isBilled: boolean): CommandError {
  const reason = ended.reason === null ? '' : `: ${ended.reason}`
  if (ended.state !== 'Cancelled') return new CommandError(`the search failed${reason}`)
  return new CommandError(`the search was cancelled${reason}`, [
    'A search that reads too much is cancelled. Give a shorter period: --since, --until.',
    costText({ ...ended, isBilled }),
  ])
}

/** @returns the number of rows */
async function printCsvOf({ csv }: SearchPage, io: Io): Promise<number> {
  if (csv === null) throw new CommandError('the API returned no address of the CSV')
  let lines = 0
  for await (const text of downloadCsv(csv)) {
    lines += text.split('\n').length - 1
    io.out(text)
  }
  return lines - 1
}

/** @returns the number of rows */
async function printRows(
  { id, period }: Search,
  first: SearchPage,
  limit: number,
  options: { readonly json: boolean; readonly wide: boolean },
  { api, io }: { readonly api: ApiClient; readonly io: Io },
): Promise<number> {
  const { rows, more } = await readRows(api, id, first, limit)
  if (options.json) io.out(jsonText(rows))
  else if (rows.length > 0) io.out(`${foundText(rows, tableWidth(options, io))}\n`)
  else
    io.out(
      `No messages found${period === null ? '' : ` from ${formatTime(period.from)} to ${formatTime(period.to)}`}.\n`,
    )
  if (more) io.err(`There are more rows: ${resultCommand(id)} --all\n`)
  return rows.length
}

/** Gives the command that lists what the search cannot find yet; null if it finds the whole period. */
function laterText({ from, to, completeUntil }: Period, { since: _, ...filters }: Filters): string | null {
  if (to <= completeUntil) return null
  const since = from > completeUntil ? from : completeUntil
  const options = Object.keys(filterOptions).flatMap((name) => {
    const value = filters[name as keyof typeof filters]
    return value === undefined ? [] : [`--${name} ${shellWord(value)}`]
  })
  const command = ['npx mailflow messages', `--since ${since.replace(/\.\d+/, '')}`, ...options].join(' ')
  return `Mail that was received from ${formatTime(since)} on may be missing: ${command}`
}

const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
