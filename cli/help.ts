/** Builds the texts of --help. */
import { apiOptions, type Command, helpOption, type Options } from './command.ts'
import { alignColumns } from './text/table.ts'

export function generalHelp(commands: readonly Pick<Command, 'name' | 'summary'>[]): string {
  const rows = commands.map(({ name, summary }) => [`  ${name}`, summary])
  return `Manages a mailflow gateway: connectors, decisions and messages.

  npx mailflow COMMAND [OPTION …]

${alignColumns(rows)}

Run "npx mailflow COMMAND --help" for the options of one command, and "npx mailflow --version" for the version.

Exit status: 0 success, 1 failure, 2 wrong arguments, 3 differences found (--dry-run, "connectors import-exchange"
and "dns").
`
}

export function commandHelp(command: Command): string {
  const { options, details, summary } = command
  return [
    `${summary}.\n\n  ${usageOf(command)}\n`,
    optionLines({ ...options, ...(command.usesApi && apiOptions), ...helpOption }),
    ...(details === undefined ? [] : [`${details.trim()}\n`]),
  ].join('\n')
}

export function usageOf({ name, positionalUsage, requiredOptions, options, usesApi }: Command): string {
  const optional = usesApi || Object.keys(options).length > 0 ? '[OPTION …]' : undefined
  return ['npx mailflow', name, positionalUsage?.usage, requiredOptions, optional].filter(Boolean).join(' ')
}

function optionLines(options: Options): string {
  const rows = Object.entries(options).map(([name, { short, value, optional, description }]) => {
    const valueText = optional ? ` [${value}]` : value === undefined ? '' : ` ${value}`
    return [`  ${short === undefined ? '' : `-${short}, `}--${name}${valueText}`, description]
  })
  return `${alignColumns(rows)}\n`
}
