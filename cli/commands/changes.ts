/** `changes`: lists the changes of connectors and accepted domains. */
import * as z from 'zod'
import { changeColumns, changeRow } from '../../shared/event-queries/change-columns.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, jsonOption, tableWidth, wideOption } from '../command.ts'
import { exitStatus } from '../command-error.ts'
import { formatValue } from '../connectors/diff-text.ts'
import { parseChoice } from '../input/parse-choice.ts'
import { parseInstant } from '../input/parse-instant.ts'
import { parseLimit } from '../input/parse-limit.ts'
import { formatTime, jsonText } from '../text/format.ts'
import { checkFormat, csvOption, printCsv } from '../text/print-csv.ts'
import { type Column, table } from '../text/table.ts'

const fields = z.record(z.string(), z.unknown())

/** The fields that the command prints. Others are ignored, so that newer gateways work. */
const Change = z.object({
  version: z.int(),
  at: z.string(),
  actor: z.string(),
  kind: z.string(),
  name: z.string(),
  id: z.string().optional(),
  domain: z.string().optional(),
  action: z.string(),
  before: fields.nullable(),
  after: fields.nullable(),
})
type Change = z.output<typeof Change>

const defaultLimit = 50
const kinds = ['inbound-connector', 'outbound-connector', 'accepted-domain']

export const changes = defineCommand({
  positionalUsage: { usage: '[NAME|ID|DOMAIN]', minCount: 0, maxCount: 1 },
  usesApi: true,
  options: {
    since: { type: 'string', value: 'TIME', description: 'changed at or after TIME' },
    until: { type: 'string', value: 'TIME', description: 'changed before TIME (default: now)' },
    actor: {
      type: 'string',
      value: 'ACTOR',
      description: 'only changes of this IAM principal (ARN) or subject of a token',
    },
    kind: { type: 'string', value: 'KIND', description: kinds.join(', ') },
    limit: { type: 'string', value: 'N', description: `list at most N changes (default: ${defaultLimit})` },
    all: { type: 'boolean', description: 'list all changes' },
    ...wideOption,
    ...jsonOption,
    ...csvOption,
  },
  details: `
TIME is ISO 8601 (2026-02-03, 2026-02-03T11:00:00Z), or a duration before now: 30m, 2h, 3d. The newest change is first.
With --json and --csv each change has its fields before and after. Changes of releases without this log are missing.
`,
  async run({ values, positionals: [key], io, api }) {
    checkFormat(values)
    const limit = values.all ? Number.POSITIVE_INFINITY : parseLimit(values.limit, defaultLimit)
    const query = {
      from: values.since && parseInstant('--since', values.since, io.now()),
      to: values.until && parseInstant('--until', values.until, io.now()),
      actor: values.actor,
      kind: values.kind && parseChoice('--kind', values.kind, 'kind', kinds),
      key,
    }
    if (values.csv) {
      if (await printCsv(api.list(z.unknown(), '/changes', query, limit), limit, csv, io)) io.err(moreText)
      return exitStatus.ok
    }
    const found: unknown[] = []
    let hasMore = false
    for await (const change of api.list(z.unknown(), '/changes', query, limit)) {
      hasMore = found.length === limit
      if (hasMore) break
      found.push(change)
    }
    if (values.json) io.out(jsonText(found))
    else if (found.length === 0) io.out('No changes found.\n')
    else {
      const rows = found.map((change) => rowOf(parseChange(change)))
      io.out(`${table(columns, rows, tableWidth(values, io))}\n`)
    }
    if (hasMore) io.err(moreText)
    return exitStatus.ok
  },
})

const moreText = 'There are more changes: use --limit N or --all.\n'

const parseChange = (response: unknown): Change => parseResponse(Change, response, 'change')

const csv = { columns: changeColumns, rowsOf: (response: unknown) => [changeRow(parseChange(response))] }

const columns: readonly Column[] = [
  { heading: 'Version' },
  { heading: 'Time' },
  { heading: 'Action' },
  { heading: 'Kind' },
  { heading: 'Name', minWidth: 20 },
  { heading: 'By', minWidth: 24 },
  { heading: 'Fields', minWidth: 24 },
]

const rowOf = ({ version, at, action, kind, name, actor, before, after }: Change): string[] => [
  String(version),
  formatTime(at),
  action,
  kind,
  name,
  actor,
  before === null || after === null ? '' : fieldsText(before, after),
]

/** Names each changed field with its value before and after. A field that one side does not have is `absent` there. */
function fieldsText(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): string {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const valueIn = (side: Readonly<Record<string, unknown>>, name: string) =>
    name in side ? formatValue(side[name]) : 'absent'
  return names.map((name) => `${name}: ${valueIn(before, name)} → ${valueIn(after, name)}`).join('; ')
}
