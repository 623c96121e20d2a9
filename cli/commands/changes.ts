/** `changes`: lists the changes of connectors and accepted domains. */
import * as z from 'zod'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, jsonOption, tableWidth, wideOption } from '../command.ts'
import { exitStatus, UsageError } from '../command-error.ts'
import { formatValue } from '../connectors/diff-text.ts'
import { parseInstant } from '../input/parse-instant.ts'
import { parseLimit } from '../input/parse-limit.ts'
import { formatTime, jsonText } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'

const fields = z.record(z.string(), z.unknown())

/** The fields that the command prints. Others are ignored, so that newer gateways work. */
const Change = z.object({
  version: z.int(),
  at: z.string(),
  actor: z.string(),
  kind: z.string(),
  name: z.string(),
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
  },
  details: `
TIME is ISO 8601 (2026-02-03, 2026-02-03T11:00:00Z), or a duration before now: 30m, 2h, 3d. The newest change is first.
With --json each change has its fields before and after. Changes of releases without this log are missing.
`,
  async run({ values, positionals: [key], io, api }) {
    const limit = values.all ? Number.POSITIVE_INFINITY : parseLimit(values.limit, defaultLimit)
    const query = {
      since: values.since && parseInstant('--since', values.since, io.now()),
      until: values.until && parseInstant('--until', values.until, io.now()),
      actor: values.actor,
      kind: values.kind && parseKind(values.kind),
      key,
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
      const rows = found.map((change) => rowOf(parseResponse(Change, change, 'change')))
      io.out(`${table(columns, rows, tableWidth(values, io))}\n`)
    }
    if (hasMore) io.err('There are more changes: use --limit N or --all.\n')
    return exitStatus.ok
  },
})

function parseKind(text: string): string {
  if (kinds.includes(text)) return text
  throw new UsageError(`--kind ${text}: not a kind; the kinds are ${kinds.join(', ')}`)
}

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
