/** `connectors try`: which past mail would have been decided otherwise under the connectors of a file. */
import * as z from 'zod'
import { dayMs } from '../../shared/contract/durations.ts'
import { costText } from '../../shared/event-queries/cost-text.ts'
import { type ApiClient, encodeUrlPart } from '../api/api-client.ts'
import { defineCommand, type Io, jsonOption } from '../command.ts'
import { CommandError, exitStatus, UsageError } from '../command-error.ts'
import { connectorKinds } from '../connectors/entry-kinds.ts'
import { configurationWithMode, modeOption, parseMode } from '../connectors/mode-option.ts'
import { type Change, planChanges } from '../connectors/plan-changes.ts'
import { readConfiguration } from '../connectors/read-configuration.ts'
import { readGateway } from '../connectors/read-current-configuration.ts'
import { parsePeriod } from '../input/parse-period.ts'
import { readText } from '../input/read-file.ts'
import { DryRun, dryRunText } from '../search/dry-run-text.ts'
import { waitForResult } from '../search/wait-for-result.ts'
import { formatTime, jsonText } from '../text/format.ts'

const StartedDryRun = z.object({ id: z.string(), completeUntil: z.iso.datetime() })

const defaultDays = 7

export const tryConnectors = defineCommand({
  requiredOptions: '-f FILE',
  usesApi: true,
  options: {
    file: {
      type: 'string',
      short: 'f',
      value: 'FILE',
      description: 'the file, as for "connectors apply"; - is standard input',
    },
    since: {
      type: 'string',
      value: 'TIME',
      description: `mail received at or after TIME (default: ${defaultDays} days before --until)`,
    },
    until: { type: 'string', value: 'TIME', description: 'mail received before TIME (default: now)' },
    ...modeOption,
    ...jsonOption,
  },
  details: `
Decides about the mail of the period again, with the same rules that decide real mail: once with the current
connectors, and once with those of the file in place of the ones with the same names. Prints what differs, with ids of
messages. What the events do not say is named and not guessed. Changes and sends nothing. Accepted domains of the file
are ignored.

TIME is ISO 8601 (2026-02-03, 2026-02-03T11:00:00Z), or a duration before now: 12h, 7d. Mail of the last hour or two is
not in the dry run.
`,
  async run({ values, io, api }) {
    if (values.file === undefined) throw new UsageError('connectors try requires -f FILE')
    const mode = parseMode(values.mode)
    const period = parsePeriod(values, io.now())
    const { text, name } = await readText(values.file, io)
    // Finds the faults of the file before any request.
    readConfiguration(text, name, { defaultRoute: null, prune: false })
    const { current, defaultRoute } = await readGateway(api)
    const asWritten = readConfiguration(text, name, { defaultRoute, prune: false })
    const file = mode === undefined ? asWritten : configurationWithMode(asWritten, mode)
    const changed = changedConnectors(planChanges(file, current, false))
    if (changed === null) {
      io.out('The file changes no connector.\n')
      return exitStatus.ok
    }
    const to = period.to ?? new Date(io.now()).toISOString()
    const from = period.from ?? new Date(Date.parse(to) - defaultDays * dayMs).toISOString()
    const { id, completeUntil } = await api.post(StartedDryRun, '/dry-runs', {
      from,
      to,
      ...changed,
    })
    const ended = await waitForDryRun(api, id, io)
    if (ended.state !== 'Succeeded')
      throw new CommandError(`the dry run failed${ended.reason === null ? '' : `: ${ended.reason}`}`)
    io.out(values.json ? jsonText(ended) : `${dryRunText(ended, io.columns)}\n`)
    if (to > completeUntil)
      io.err(`Mail that was received from ${formatTime(completeUntil)} on is not in it.\n`)
    io.err(`${costText({ ...ended, isBilled: !api.isLocal })}\n`)
    return exitStatus.ok
  },
})

/** @returns the connectors that the file creates or changes, by the name of their section; null if there is none */
function changedConnectors(changes: readonly Change[]): Record<string, unknown[]> | null {
  const written = changes.filter((change) => change.kind === 'Create' || change.kind === 'Replace')
  const sections = connectorKinds.map((kind) => [
    kind.name,
    written.filter(({ entryKind }) => entryKind === kind).map(({ desired }) => desired.fields),
  ])
  return sections.some(([, connectors]) => connectors?.length) ? Object.fromEntries(sections) : null
}

const waitForDryRun = (api: ApiClient, id: string, io: Io) =>
  waitForResult(
    () => api.get(DryRun, `/dry-runs/${encodeUrlPart(id)}`),
    { doing: 'Deciding', goesOn: `the dry run goes on: GET /dry-runs/${id}` },
    io,
  )
