/** Describes a command: name, arguments, options, action. Parsing and help use the same description. */
import type { ParseArgsOptionsConfig } from 'node:util'
import type { ApiClient } from './api/api-client.ts'
import type { ExitStatus } from './command-error.ts'

/** The streams, environment and clock of a command. Tests pass their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>
  out(text: string): void
  err(text: string): void
  /** Reads standard input to its end. */
  readInput(): Promise<Buffer>
  /** Prints the question and reads a line; missing when standard input is not a terminal. */
  prompt?(question: string): Promise<string>
  /** The width of the terminal; missing when standard output is not a terminal. */
  readonly columns?: number
  /** Milliseconds since the epoch. */
  now(): number
  sleep(ms: number): Promise<void>
  /** Sets the text that is printed when a signal ends the process; null for none. */
  setProgress?(text: string | null): void
  /** Replaces the last line of the terminal; null clears it. Missing when standard error is not a terminal. */
  printStatus?(text: string | null): void
}

export interface Option {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  readonly multiple?: boolean
  /** The name of the value in the help. */
  readonly value?: string
  /** When set, the value is optional: the next argument is the value only if that argument matches. */
  readonly optional?: RegExp
  readonly description: string
}
export type Options = Readonly<Record<string, Option>>

/** When the option is absent, a flag is false, a value is undefined and a list is empty. */
export type Values<O extends Options> = {
  [K in keyof O]: O[K] extends { type: 'boolean' }
    ? boolean
    : O[K] extends { multiple: true }
      ? string[]
      : string | undefined
}

export interface CommandInvocation<O extends Options> {
  readonly values: Values<O>
  readonly positionals: readonly string[]
  readonly io: Io
  readonly api: ApiClient
}

export interface CommandDefinition<O extends Options = Options> {
  /** Positional arguments as the help shows them, such as `[ID]`, and their minimum and maximum number. */
  readonly positionalUsage?: { readonly usage: string; readonly minCount: number; readonly maxCount: number }
  /** Required options, as the usage line shows them. */
  readonly requiredOptions?: string
  readonly options: O
  /** Whether the command uses the API and so takes `apiOptions`. */
  readonly usesApi: boolean
  /** Text below the options in the help. */
  readonly details?: string
  run(invocation: CommandInvocation<O>): Promise<ExitStatus>
}

export interface Command extends CommandDefinition {
  /** One or two words: `connectors apply`. */
  readonly name: string
  readonly summary: string
}

/** Lets the compiler check that `run` reads only the described options. The returned type omits the options. */
export const defineCommand = <const O extends Options>(definition: CommandDefinition<O>): CommandDefinition =>
  definition as unknown as CommandDefinition

export const jsonOption = { json: { type: 'boolean', description: 'print JSON' } } as const

/** The option of commands that print a table. */
export const wideOption = {
  wide: { type: 'boolean', description: 'print each row whole on one line, also in a narrow terminal' },
} as const

export const tableWidth = ({ wide }: { wide: boolean }, { columns }: Io): number | undefined =>
  wide ? undefined : columns

export const apiOptions = {
  api: {
    type: 'string',
    value: 'URL',
    description: "the API's address (default: MAILFLOW_API, else http://127.0.0.1:8080)",
  },
  token: { type: 'string', value: 'TOKEN', description: 'send this bearer token (default: MAILFLOW_TOKEN)' },
  sign: {
    type: 'boolean',
    description: 'sign with AWS credentials (default for *.execute-api.*.amazonaws.com without a token)',
  },
  region: { type: 'string', value: 'REGION', description: 'the AWS region to sign for; implies --sign' },
} as const satisfies Options

export const helpOption = {
  help: { type: 'boolean', short: 'h', description: 'print this help' },
} as const satisfies Options

/** Converts options to the form that node:util's parseArgs takes. */
export function parseArgsOptions(options: Options): ParseArgsOptionsConfig {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, short, multiple }]) => [
      name,
      { type, ...(short !== undefined && { short }), ...(multiple && { multiple }) },
    ]),
  )
}
