/** The flags of `npm run bench:peers`. */
import { parseArgs } from 'node:util'
import type { Mode } from './load.ts'

const defaultServers = ['mailflow', 'postfix', 'haraka', 'haraka-2', 'bare'] as const
const servers = [...defaultServers, 'mailflow-before', 'postfix-hold'] as const
/** `mailflow-before` is selected by --before. */
const selectable = servers.filter((name) => name !== 'mailflow-before')
export type ServerName = (typeof servers)[number]

/** One kind of load, under which the servers alternate. */
export interface Cell {
  kilobytes: number
  mode: Mode
  isSecure: boolean
  connections: number
}

export interface Options {
  rounds: number
  /** Milliseconds of each measurement. */
  duration: number
  servers: ServerName[]
  cells: Cell[]
  /** Number of processes that generate the load. */
  generators: number
  resume: boolean
  group: string
  profile: string | undefined
  /** Another checkout, whose ingress is measured beside the ingress of this checkout. */
  otherCheckout: string | undefined
  /**
   * The comparison fails below this ratio: this checkout's rate divided by the other's, median of all rounds of all
   * kinds of load.
   */
  minRatio: number
}

export const usage = `npm run bench:peers -- [flags]
  --rounds N        rounds of each measurement (3)
  --seconds N       seconds of each measurement (5)
  --connections N   concurrent sessions; several numbers, separated by commas, are measured one after another (100,400)
  --only WORDS      separated by commas, of these: ${selectable.join(', ')};
                    4, 50 (KB); persistent, connection; tls, plain. A group without a word is measured completely,
                    except postfix-hold, which is measured only when its word is given.
  --before DIR      measures the ingress of another checkout and of this checkout in turns, and no other server; exits
                    with 1 when the rate of this checkout is lower than --min-ratio times the rate of the other one
                    (median over all rounds)
  --min-ratio RATIO     (0.95)
  --generators N    processes that generate the load (1)
  --resume          a connection for each message resumes an earlier TLS session
  --group NAME      the key exchange that the load offers (X25519)
  --profile DIR     V8 CPU profiles of the ingress and of the load generator`

/** @throws Error that names the flag and its permitted values */
export function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '5' },
      connections: { type: 'string', default: '100,400' },
      only: { type: 'string', multiple: true, default: [] },
      generators: { type: 'string', default: '1' },
      resume: { type: 'boolean', default: false },
      group: { type: 'string', default: 'X25519' },
      profile: { type: 'string' },
      before: { type: 'string' },
      'min-ratio': { type: 'string', default: '0.95' },
    },
  })
  const words = values.only.flatMap((value) => value.split(',')).filter(Boolean)
  const unknownWord = words.find((word) => !allWords.includes(word))
  if (unknownWord !== undefined) throw new Error(`--only: ${unknownWord} is none of ${allWords.join(', ')}`)
  const generators = wholeNumber('generators', values.generators)
  const connections = values.connections.split(',').map((value) => wholeNumber('connections', value))
  const smallNumber = connections.find((number) => number < generators)
  if (smallNumber !== undefined)
    throw new Error(`--connections: ${smallNumber} are fewer than --generators ${generators}`)
  return {
    rounds: wholeNumber('rounds', values.rounds),
    duration: wholeNumber('seconds', values.seconds) * 1000,
    servers: values.before === undefined ? serversOf(words) : ['mailflow', 'mailflow-before'],
    cells: cellsOf(words, connections),
    generators,
    resume: values.resume,
    group: values.group,
    profile: values.profile,
    otherCheckout: values.before,
    minRatio: ratioOf(values['min-ratio']),
  }
}

const sizes = ['4', '50'] as const
const modes = ['persistent', 'connection'] as const
const protections = ['tls', 'plain'] as const
const allWords: readonly string[] = [...selectable, ...sizes, ...modes, ...protections]

function selectWords<T extends string>(kind: readonly T[], words: readonly string[]): T[] {
  const selection = kind.filter((word) => words.includes(word))
  return selection.length > 0 ? selection : [...kind]
}

const serversOf = (words: readonly string[]): ServerName[] =>
  servers.some((name) => words.includes(name)) ? selectWords(servers, words) : [...defaultServers]

const cellsOf = (words: readonly string[], connections: readonly number[]): Cell[] =>
  selectWords(modes, words).flatMap((mode) =>
    selectWords(protections, words).flatMap((protection) =>
      selectWords(sizes, words).flatMap((size) =>
        connections.map((number) => ({
          kilobytes: Number(size),
          mode: mode === 'persistent' ? 'Persistent' : 'Connection',
          isSecure: protection === 'tls',
          connections: number,
        })),
      ),
    ),
  )

function ratioOf(value: string): number {
  const ratio = Number(value)
  if (!(ratio > 0 && ratio < 10)) throw new Error(`--min-ratio: ${value} is no ratio between 0 and 10`)
  return ratio
}

export function wholeNumber(flag: string, value: string): number {
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < 1 || number > 1_000_000)
    throw new Error(`--${flag}: ${value} is no whole number from 1 to 1000000`)
  return number
}
