/** `connectors apply`: makes the gateway's configuration match a file. */
import { defineCommand } from '../command.ts'
import { UsageError } from '../command-error.ts'
import { changeOptions, loweringQuestion, makeChanges } from '../connectors/make-changes.ts'
import { configurationWithMode, modeOption, parseMode } from '../connectors/mode-option.ts'
import { planChanges } from '../connectors/plan-changes.ts'
import { readConfiguration } from '../connectors/read-configuration.ts'
import { readText } from '../input/read-file.ts'

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
    prune: { type: 'boolean', description: 'remove the entries of the gateway that are not in the file' },
    ...modeOption,
    ...changeOptions,
  },
  details: `
Connectors are matched by direction and name; letter case is ignored. Entries of the gateway that are not in the file
are listed and kept. --prune removes them; it refuses a file that "connectors get" wrote, which is a part of the
configuration. When a section (acceptedDomains, inboundConnectors, outboundConnectors) is missing from the file, its
entries stay unchanged, also with --prune.

The command asks before it removes an entry or weakens a requirement; without a terminal this needs --yes.

An outbound connector without a route gets the default route of the deployment.

The command prints the gateway's warnings about the resulting configuration, also in a dry run.

The command writes accepted domains first, then inbound and then outbound connectors; removals come last. It writes
nothing when the configuration has another version than the differences that it showed, and then shows the new ones. It
stops with an error when another client changed an entry between two writes.

Mail that waits under an outbound connector keeps its TLS requirement when the file lowers it or --prune removes it.
--waiting hold changes nothing for this mail; return bounces it. Without the option the command asks on a terminal, and
otherwise stops before it writes.
`,
  async run({ values, io, api }) {
    if (values.file === undefined) throw new UsageError('connectors apply requires -f FILE')
    const mode = parseMode(values.mode)
    const { text, name } = await readText(values.file, io)
    // Finds the faults of the file before any request.
    readConfiguration(text, name, { defaultRoute: null, prune: values.prune })
    return makeChanges(
      ({ current, defaultRoute }) => {
        const asWritten = readConfiguration(text, name, { defaultRoute, prune: values.prune })
        const file = mode === undefined ? asWritten : configurationWithMode(asWritten, mode)
        return planChanges(file, current, values.prune)
      },
      loweringQuestion,
      values,
      { api, io },
    )
  },
})
