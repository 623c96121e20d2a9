/** The texts behind --help. */
import { apiOptions, type Command, helpOption, type Options } from './command.ts'
import { aligned } from './text/table.ts'

export function helpOfAll(commands: readonly Command[]): string {
  const rows = commands.map(({ name, summary }) => [`  ${name}`, summary])
  return `Connectors, decisions and messages of a mailflow gateway.

  npx mailflow COMMAND [OPTION …]

${aligned(rows)}

  npx mailflow COMMAND --help says more of one.

It ends with 0 when all is well, 1 when something is wrong, 2 when it was called wrongly, and
"connectors apply --dry-run" and "dns" with 3 when there are differences.
`
}

export function helpOf(command: Command): string {
  const { options, details, summary } = command
  return [
    `${summary}.\n\n  ${usageOf(command)}\n`,
    optionLines({ ...options, ...(command.usesApi && apiOptions), ...helpOption }),
    ...(details === undefined ? [] : [`\n${details.trim()}\n`]),
  ].join('\n')
}

export function usageOf({ name, takes, needs, options, usesApi }: Command): string {
  const optional = usesApi || Object.keys(options).length > 0 ? '[OPTION …]' : undefined
  return ['npx mailflow', name, takes?.shown, needs, optional].filter(Boolean).join(' ')
}

function optionLines(options: Options): string {
  const rows = Object.entries(options).map(([name, { short, value, optional, says }]) => {
    const shown = optional ? ` [${value}]` : value === undefined ? '' : ` ${value}`
    return [`  ${short === undefined ? '' : `-${short}, `}--${name}${shown}`, says]
  })
  return `${aligned(rows)}\n`
}
