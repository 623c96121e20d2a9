/** `connectors apply`: makes the gateway's configuration match a file. */
import { faultText } from '../../shared/contract/schema-faults.ts'
import { countText, firstNames } from '../../shared/policy/text-lists.ts'
import { defineCommand, type Io, jsonOption } from '../command.ts'
import { CommandError, exitStatus, UsageError } from '../command-error.ts'
import { applyChanges, labelOf, type WaitingResult } from '../connectors/apply-changes.ts'
import { weakenedRequirements } from '../connectors/change-effects.ts'
import { type ConfigurationWarning, collectWarnings } from '../connectors/configuration-warnings.ts'
import { diffText } from '../connectors/diff-text.ts'
import { configurationWithMode, modeOption, parseMode } from '../connectors/mode-option.ts'
import { type Change, isWritten, planChanges } from '../connectors/plan-changes.ts'
import { readConfiguration } from '../connectors/read-configuration.ts'
import { readCurrentConfiguration } from '../connectors/read-current-configuration.ts'
import { totalText } from '../connectors/request-for-mail.ts'
import {
  chooseForWaiting,
  findLoweringChanges,
  type LoweringChange,
  parseWaitingChoice,
  waitingOption,
  waitingText,
} from '../connectors/waiting-mail.ts'
import { readText } from '../input/read-file.ts'
import { jsonText, printable } from '../text/format.ts'

export const applyConnectors = defineCommand({
  requiredOptions: '-f FILE',
  usesApi: true,
  options: {
    file: {
      type: 'string',
      short: 'f',
      value: 'FILE',
      description: 'the file, YAML or JSON; - is standard input',
    },
    'dry-run': {
      type: 'boolean',
      description: 'only show the differences, write nothing; exit status 3 if there are differences',
    },
    prune: { type: 'boolean', description: 'remove the entries of the gateway that are not in the file' },
    yes: { type: 'boolean', description: 'remove without a question; --prune needs it without a terminal' },
    ...modeOption,
    ...waitingOption,
    ...jsonOption,
  },
  details: `
Connectors are matched by direction and name; letter case is ignored. Entries of the gateway that are not in the file
are listed and kept. --prune removes them, shows the effect on mail and asks first. It refuses a file that "connectors
get" wrote, which is a part of the configuration. When a section (acceptedDomains, inboundConnectors,
outboundConnectors) is missing from the file, its entries stay unchanged, also with --prune.

The command prints the gateway's warnings about the resulting configuration, also in a dry run.

The command writes accepted domains first, then inbound and then outbound connectors; removals come last. It stops with
an error when another client changed an entry after the command read it.

Mail that waits under an outbound connector keeps its TLS requirement when the file lowers it or --prune removes it.
--waiting hold changes nothing for this mail; return bounces it; release sends it with the changed connectors. Without
the option the command asks on a terminal, and otherwise stops before it writes.
`,
  async run({ values, io, api }) {
    if (values.file === undefined) throw new UsageError('connectors apply requires -f FILE')
    const { text, name } = await readText(values.file, io)
    const mode = parseMode(values.mode)
    const asWritten = readConfiguration(text, name, values.prune)
    const file = mode === undefined ? asWritten : configurationWithMode(asWritten, mode)
    const option = parseWaitingChoice(values.waiting)
    const current = await readCurrentConfiguration(api)
    const changes = planChanges(file, current, values.prune)
    const warnings = collectWarnings(changes, current, new Date(io.now()))
    const print = values.json ? () => {} : io.out
    print(`${diffText(changes)}\n\n`)
    for (const warning of warnings) io.err(`${warningText(warning)}\n`)
    const dryRun = values['dry-run']
    const lowering = await findLoweringChanges(api, changes, io.now())
    const waiting = lowering.filter(({ messages }) => messages > 0)
    if (!dryRun && !values.yes) await confirmRemovals(changes, io)
    let results: WaitingResult[] = []
    if (dryRun) for (const each of waiting) print(`${waitingText(each)}; apply requires --waiting.\n\n`)
    else results = await applyChanges(api, changes, await chooseForWaiting(lowering, option, io))
    for (const { connector, choice, ...total } of results)
      print(`${totalText(choice, { kind: 'outbound connector', name: connector, ...total })}\n`)
    print(`${summaryText(changes, dryRun)}\n`)
    if (values.json) io.out(jsonText(report(changes, !dryRun, warnings, waiting, results)))
    return dryRun && changes.some(isWritten) ? exitStatus.differences : exitStatus.ok
  },
})

/** @throws CommandError when the user does not agree, or there is no terminal */
async function confirmRemovals(changes: readonly Change[], io: Io): Promise<void> {
  const names = changes.filter(({ kind }) => kind === 'Remove').map((change) => printable(labelOf(change)))
  if (names.length === 0) return
  const entries = `${countText(names.length, 'entry', 'entries')} (${firstNames(names, maxNamesInQuestion)})`
  if (io.prompt === undefined)
    throw new CommandError(`--prune would remove ${entries}; give --yes. Nothing was written`)
  const answer = (await io.prompt(`Remove ${entries}? Type yes: `)).trim()
  if (answer !== 'yes') throw new CommandError(`"${answer}" is not yes. Nothing was written`)
}

/** The list of differences above the question has all names, but not with --json. */
const maxNamesInQuestion = 10

const warningText = (warning: ConfigurationWarning): string =>
  `warning: ${warning.of} "${printable(warning.name)}": ${printable(faultText(warning))}`

function summaryText(changes: readonly Change[], dryRun: boolean): string {
  const count = (...kinds: Change['kind'][]) => changes.filter(({ kind }) => kinds.includes(kind)).length
  const notInFileCount = count('NotInFile')
  const notInFileText = notInFileCount === 0 ? '' : `; ${notInFileCount} not in the file, kept`
  if (!changes.some(isWritten)) return `No differences${notInFileText}.`
  const weakenedChanges = changes.filter(
    (change) => change.kind === 'Replace' && weakenedRequirements(change.fields).length > 0,
  )
  const weakenedText =
    weakenedChanges.length === 0 ? '' : ` (${weakenedChanges.length} with weaker requirements)`
  const countsText = [
    countText(count('Create'), 'new', 'new'),
    `${countText(count('Replace'), 'changed', 'changed')}${weakenedText}`,
    countText(count('Remove'), 'removed', 'removed'),
  ].join(', ')
  return `${dryRun ? 'Dry run, nothing was written' : 'Applied'}: ${countsText}${notInFileText}.`
}

function report(
  changes: readonly Change[],
  applied: boolean,
  warnings: readonly ConfigurationWarning[],
  waiting: readonly LoweringChange[],
  results: readonly WaitingResult[],
) {
  return {
    applied,
    changes: changes.map((change) => ({
      kind: change.kind,
      of: change.entryKind.name,
      name: labelOf(change),
      ...(change.kind === 'Replace' && { fields: change.fields }),
    })),
    warnings,
    waiting: waiting.map(({ change, lowered, messages }) => ({
      name: change.current.label,
      lowered,
      messages,
    })),
    requested: results,
  }
}
