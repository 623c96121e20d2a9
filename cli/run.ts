/** Parses the arguments, runs the command and returns its exit status. */
import { readFileSync } from 'node:fs'
import { inspect, parseArgs } from 'node:util'
import { errorMessage } from '../shared/contract/error-message.ts'
import {
  apiOptions,
  type Command,
  helpOption,
  type Io,
  type Options,
  parseArgsOptions,
  type Values,
} from './command.ts'
import { CommandError, type ExitStatus, exitStatus, UsageError } from './command-error.ts'
import { commands, type ListedCommand, loadCommand } from './commands.ts'
import { commandHelp, generalHelp, usageOf } from './help.ts'
import { printable, terminalText } from './text/format.ts'

export async function run(args: readonly string[], streams: Io): Promise<ExitStatus> {
  const { printStatus } = streams
  const io: Io = {
    ...streams,
    out: (text) => streams.out(terminalText(text)),
    err: (text) => streams.err(terminalText(text)),
    ...(printStatus && { printStatus: (text) => printStatus(text === null ? null : printable(text)) }),
  }
  try {
    return await dispatch(args, io)
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`mailflow: ${printable(error.message)}\n`)
      return exitStatus.usage
    }
    if (error instanceof CommandError) {
      const lines = error.lines.map((line) => `  ${printable(line)}\n`)
      io.err(`mailflow: ${printable(error.message)}\n${lines.join('')}`)
    }
    // A bug. Node would print the error without terminalText.
    else io.err(`mailflow: ${inspect(error)}\n`)
    return exitStatus.failure
  }
}

async function dispatch(args: readonly string[], io: Io): Promise<ExitStatus> {
  const [first] = args
  if (first === '--version') {
    io.out(`mailflow ${packageVersion()}\n`)
    return exitStatus.ok
  }
  if (first === undefined || isHelp(first) || first === 'help') {
    const topic = args[1] === undefined ? undefined : findCommand(args.slice(1))
    io.out(topic ? commandHelp(await loadCommand(topic.listed)) : generalHelp(commands))
    return first === undefined ? exitStatus.usage : exitStatus.ok
  }
  const group = commands.filter(({ name }) => name.startsWith(`${first} `))
  if (isHelp(args[1]) && group.length > 0 && !commands.some(({ name }) => name === first)) {
    io.out(generalHelp(group))
    return exitStatus.ok
  }
  const { listed, rest } = findCommand(args)
  const command = await loadCommand(listed)
  const { values, positionals } = parse(command, rest)
  if (values.help) {
    io.out(commandHelp(command))
    return exitStatus.ok
  }
  checkArgumentCount(command, positionals)
  // Loaded only for a command that runs, because loading is slow.
  const { createApiClient } = await import('./api/create-api-client.ts')
  return command.run({ values, positionals, io, api: createApiClient(values, io.env) })
}

const isHelp = (arg: string | undefined): boolean => arg === '--help' || arg === '-h'

function packageVersion(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}

function findCommand(args: readonly string[]): { listed: ListedCommand; rest: readonly string[] } {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(' ')
    const listed = commands.find((candidate) => candidate.name === name)
    if (listed) return { listed, rest: args.slice(words) }
  }
  const group = commands.filter(({ name }) => name.startsWith(`${args[0]} `))
  if (args[0]?.startsWith('-'))
    throw new UsageError(`put ${args[0]} after the command; the commands are ${commandNames(commands)}`)
  if (group.length === 0)
    throw new UsageError(`unknown command "${args[0]}"; the commands are ${commandNames(commands)}`)
  if (args[1] === undefined)
    throw new UsageError(`incomplete command "${args[0]}"; the commands are ${commandNames(group)}`)
  throw new UsageError(`unknown command "${args[0]} ${args[1]}"; the commands are ${commandNames(group)}`)
}

const commandNames = (group: readonly ListedCommand[]): string => group.map(({ name }) => name).join(', ')

/** @throws UsageError naming the wrong option */
function parse(command: Command, args: readonly string[]) {
  const options: Options = { ...command.options, ...(command.usesApi && apiOptions), ...helpOption }
  try {
    const { values, positionals, tokens } = parseArgs({
      args: fillOptionalValues(args, options),
      options: parseArgsOptions(options),
      allowPositionals: true,
      tokens: true,
    })
    checkRepetition(
      options,
      tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : [])),
    )
    return { values: { ...defaultValues(options), ...values } as Values<Options>, positionals }
  } catch (error) {
    // Drops the rest of Node's message, which explains how to pass an argument that begins with a dash.
    throw new UsageError(`${errorMessage(error).split('. To specify')[0]} (usage: ${usageOf(command)})`)
  }
}

/** Otherwise the last value would silently replace the others. */
function checkRepetition(options: Options, names: readonly string[]): void {
  const repeated = names.find((name, index) => names.indexOf(name) < index && !options[name]?.multiple)
  if (repeated !== undefined && options[repeated]?.type === 'string')
    throw new Error(`--${repeated} is given twice`)
}

/** Adds an empty value to each option with an optional value, unless the next argument is a value of that option. */
function fillOptionalValues(args: readonly string[], options: Options): string[] {
  return args.flatMap((arg, index) => {
    const optional = arg.startsWith('--') ? options[arg.slice(2)]?.optional : undefined
    return optional && !optional.test(args[index + 1] ?? '') ? [`${arg}=`] : [arg]
  })
}

const defaultValues = (options: Options): Record<string, boolean | string[] | undefined> =>
  Object.fromEntries(
    Object.entries(options).map(([name, { type, multiple }]) => [
      name,
      type === 'boolean' ? false : multiple ? [] : undefined,
    ]),
  )

function checkArgumentCount(command: Command, positionals: readonly string[]): void {
  const { minCount, maxCount } = command.positionalUsage ?? { minCount: 0, maxCount: 0 }
  if (positionals.length > maxCount) {
    const quoted = positionals.map((text) => `"${text}"`).join(' ')
    throw new UsageError(`too many arguments: ${quoted} (usage: ${usageOf(command)})`)
  }
  if (positionals.length < minCount)
    throw new UsageError(`an argument is missing (usage: ${usageOf(command)})`)
}
