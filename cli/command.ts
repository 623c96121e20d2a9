/** A command: what it is called, what it takes, what it does. Its options and its help come from one description. */
import type { ParseArgsOptionsConfig } from 'node:util'
import type { ApiClient } from './api/client.ts'
import type { ExitStatus } from './faults.ts'

/** The process around a command; a test gives its own. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>
  out(text: string): void
  err(text: string): void
  /** All of standard input. */
  readInput(): Promise<Buffer>
  /** Milliseconds since the epoch. */
  now(): number
}

export interface Option {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  readonly multiple?: boolean
  /** What the help calls the value. */
  readonly value?: string
  /** The value may be left out; what follows is one only if it matches. */
  readonly optional?: RegExp
  readonly says: string
}
export type Options = Readonly<Record<string, Option>>

/** A flag that is not given is false, a value undefined, a list empty. */
export type Values<O extends Options> = {
  [K in keyof O]: O[K] extends { type: 'boolean' }
    ? boolean
    : O[K] extends { multiple: true }
      ? string[]
      : string | undefined
}

export interface Call<O extends Options> {
  readonly values: Values<O>
  readonly positionals: readonly string[]
  readonly world: World
  readonly api: ApiClient
}

export interface Command<O extends Options = Options> {
  /** One or two words: `connectors apply`. */
  readonly name: string
  readonly summary: string
  /** Positional arguments as the help shows them, such as `[ID]`, with how many there may be. */
  readonly takes?: { readonly shown: string; readonly least: number; readonly most: number }
  /** Options without which the command is not called, as the usage line shows them. */
  readonly needs?: string
  readonly options: O
  /** Whether it speaks to the API, and so takes the options that say where that is. */
  readonly usesApi: boolean
  /** What else the help says. */
  readonly details?: string
  run(call: Call<O>): Promise<ExitStatus>
}

/** Checks a command's description against what it reads, and forgets the difference. */
export const command = <const O extends Options>(described: Command<O>): Command =>
  described as unknown as Command

export const jsonOption = { json: { type: 'boolean', says: 'print JSON, for programs' } } as const

export const apiOptions = {
  api: { type: 'string', value: 'URL', says: "the API's address (MAILFLOW_API, else http://127.0.0.1:8080)" },
  token: { type: 'string', value: 'TOKEN', says: 'send this bearer token (MAILFLOW_TOKEN)' },
  sign: { type: 'boolean', says: 'sign with AWS credentials; always done for *.execute-api.*.amazonaws.com' },
  region: { type: 'string', value: 'REGION', says: 'the AWS region to sign for; includes --sign' },
} as const satisfies Options

export const helpOption = { help: { type: 'boolean', says: 'this text' } } as const satisfies Options

/** As node:util's parseArgs takes them. */
export function parseArgsOptions(options: Options): ParseArgsOptionsConfig {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, short, multiple }]) => [
      name,
      { type, ...(short !== undefined && { short }), ...(multiple && { multiple }) },
    ]),
  )
}
