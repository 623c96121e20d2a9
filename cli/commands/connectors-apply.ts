/** `connectors apply`: makes the gateway's configuration match a file. */
import { faultText } from '../../shared/contract/schema-faults.ts'
import { countText } from '../../shared/policy/words.ts'
import { command, jsonOption } from '../command.ts'
import { applyChanges, labelOf } from '../connectors/apply-changes.ts'
import { weakened } from '../connectors/change-consequences.ts'
import { type Warning, warningsOf } from '../connectors/configuration-warnings.ts'
import { diffText } from '../connectors/diff-text.ts'
import { type Change, isWritten, planChanges } from '../connectors/plan-changes.ts'
import { readConfiguration } from '../connectors/read-configuration.ts'
import { readPresent } from '../connectors/read-present.ts'
import { exit, UsageFault } from '../faults.ts'
import { readText } from '../input/read-file.ts'
import { jsonText, printable } from '../text/words.ts'

export const applyConnectors = command({
  name: 'connectors apply',
  summary: 'Make the connectors and accepted domains match a file',
  needs: '-f FILE',
  usesApi: true,
  options: {
    file: {
      type: 'string',
      short: 'f',
      value: 'FILE',
      says: 'the file, YAML or JSON; - is standard input',
    },
    'dry-run': {
      type: 'boolean',
      says: 'show the differences and write nothing; exit status 3 if there are any',
    },
    prune: { type: 'boolean', says: 'remove what the gateway has and the file does not' },
    ...jsonOption,
  },
  details: `
Connectors are matched by direction and name; letter case does not count. What the gateway has and the file does not is
listed and kept. --prune removes it and shows the effect on mail. A section that is missing from the file
(acceptedDomains, inboundConnectors, outboundConnectors) stays unchanged, also with --prune.

The warnings are those of the gateway about the resulting configuration; a dry run prints them too.

The order of writing is accepted domains, inbound, outbound; removals come last. The command stops with an error when
a connector was changed by someone else since it was read.
`,
  async run({ values, world, api }) {
    if (values.file === undefined) throw new UsageFault('connectors apply requires -f FILE')
    const { text, name } = await readText(values.file, world)
    const file = readConfiguration(text, name)
    const present = await readPresent(api)
    const changes = planChanges(file, present, values.prune)
    const warnings = warningsOf(changes, present, new Date(world.now()))
    const say = values.json ? () => {} : world.out
    say(`${diffText(changes)}\n\n`)
    for (const warning of warnings) world.err(`${warningText(warning)}\n`)
    const dryRun = values['dry-run']
    if (!dryRun) await applyChanges(api, changes)
    say(`${conclusion(changes, dryRun)}\n`)
    if (values.json) world.out(jsonText(report(changes, !dryRun, warnings)))
    return dryRun && changes.some(isWritten) ? exit.differs : exit.ok
  },
})

const warningText = (warning: Warning): string =>
  `warning: ${warning.of} "${printable(warning.name)}": ${printable(faultText(warning))}`

function conclusion(changes: readonly Change[], dryRun: boolean): string {
  const count = (...kinds: Change['kind'][]) => changes.filter(({ kind }) => kinds.includes(kind)).length
  const left = count('NotInFile')
  const leftAlone = left === 0 ? '' : `; ${left} not in the file, kept`
  if (!changes.some(isWritten)) return `No differences${leftAlone}.`
  const less = changes.filter((change) => change.kind === 'Replace' && weakened(change.fields).length > 0)
  const demanding = less.length === 0 ? '' : ` (${less.length} with weaker requirements)`
  const done = [
    countText(count('Create'), 'new', 'new'),
    `${countText(count('Replace'), 'changed', 'changed')}${demanding}`,
    countText(count('Remove'), 'removed', 'removed'),
  ].join(', ')
  return `${dryRun ? 'Dry run, nothing was written' : 'Applied'}: ${done}${leftAlone}.`
}

function report(changes: readonly Change[], applied: boolean, warnings: readonly Warning[]) {
  return {
    applied,
    changes: changes.map((change) => ({
      kind: change.kind,
      of: change.of.name,
      name: labelOf(change),
      ...(change.kind === 'Replace' && { fields: change.fields }),
    })),
    warnings,
  }
}
