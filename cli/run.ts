/** Parses the arguments, runs the command and returns its exit status. */
import { parseArgs } from 'node:util'
import { errorMessage } from '../shared/contract/error-message.ts'
import { apiAt } from './api/address.ts'
import {
  apiOptions,
  type Command,
  helpOption,
  type Options,
  parseArgsOptions,
  type Values,
  type World,
} from './command.ts'
import { commands } from './commands.ts'
import { type ExitStatus, exit, Fault, UsageFault } from './faults.ts'
import { helpOf, helpOfAll, usageOf } from './help.ts'

export async function run(args: readonly string[], world: World): Promise<ExitStatus> {
  try {
    return await dispatch(args, world)
  } catch (error) {
    if (error instanceof UsageFault) {
      world.err(`mailflow: ${error.message}\n`)
      return exit.usage
    }
    if (!(error instanceof Fault)) throw error
    world.err(`mailflow: ${[error.message, ...error.lines.map((line) => `  ${line}`)].join('\n')}\n`)
    return exit.fault
  }
}

async function dispatch(args: readonly string[], world: World): Promise<ExitStatus> {
  const [first] = args
  if (first === undefined || first === '--help' || first === 'help') {
    const wanted = args[1] === undefined ? undefined : commandOf(args.slice(1))
    world.out(wanted ? helpOf(wanted.command) : helpOfAll(commands))
    return first === undefined ? exit.usage : exit.ok
  }
  const { command, rest } = commandOf(args)
  const { values, positionals } = parse(command, rest)
  if (values.help) {
    world.out(helpOf(command))
    return exit.ok
  }
  refuseWrongCount(command, positionals)
  return command.run({ values, positionals, world, api: apiAt(values, world.env) })
}

function commandOf(args: readonly string[]): { command: Command; rest: readonly string[] } {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(' ')
    const command = commands.find((one) => one.name === name)
    if (command) return { command, rest: args.slice(words) }
  }
  const group = commands.filter(({ name }) => name.startsWith(`${args[0]} `))
  if (args[0]?.startsWith('-'))
    throw new UsageFault(`put ${args[0]} after the command; the commands are ${listed(commands)}`)
  if (group.length === 0)
    throw new UsageFault(`unknown command "${args[0]}"; the commands are ${listed(commands)}`)
  if (args[1] === undefined || args[1] === '--help')
    throw new UsageFault(`incomplete command "${args[0]}"; the commands are ${listed(group)}`)
  throw new UsageFault(`unknown command "${args[0]} ${args[1]}"; the commands are ${listed(group)}`)
}

const listed = (some: readonly Command[]): string => some.map(({ name }) => name).join(', ')

/** @throws UsageFault naming the wrong option */
function parse(command: Command, args: readonly string[]) {
  const options: Options = { ...command.options, ...(command.usesApi && apiOptions), ...helpOption }
  try {
    const { values, positionals } = parseArgs({
      args: withOptionalValues(args, options),
      options: parseArgsOptions(options),
      allowPositionals: true,
    })
    return { values: { ...absent(options), ...values } as Values<Options>, positionals }
  } catch (error) {
    // The rest of Node's message explains how to pass an argument that begins with a dash.
    throw new UsageFault(`${errorMessage(error).split('. To specify')[0]} (usage: ${usageOf(command)})`)
  }
}

/** Gives an option with an optional value an empty value when the next argument does not match. */
function withOptionalValues(args: readonly string[], options: Options): string[] {
  return args.flatMap((arg, index) => {
    const optional = arg.startsWith('--') ? options[arg.slice(2)]?.optional : undefined
    return optional && !optional.test(args[index + 1] ?? '') ? [`${arg}=`] : [arg]
  })
}

const absent = (options: Options): Record<string, boolean | string[] | undefined> =>
  Object.fromEntries(
    Object.entries(options).map(([name, { type, multiple }]) => [
      name,
      type === 'boolean' ? false : multiple ? [] : undefined,
    ]),
  )

function refuseWrongCount(command: Command, positionals: readonly string[]): void {
  const { least, most } = command.takes ?? { least: 0, most: 0 }
  const surplus = positionals[most]
  if (surplus !== undefined)
    throw new UsageFault(`unexpected argument "${surplus}" (usage: ${usageOf(command)})`)
  if (positionals.length < least) throw new UsageFault(`an argument is missing (usage: ${usageOf(command)})`)
}
