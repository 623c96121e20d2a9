/** Options of the commands on cost and capacity. */
import { readFileSync } from 'node:fs'
import { type Route, routes } from './recording.ts'

export class OptionError extends Error {}

/** @param text such as `50k`, `2m` or `50000` @throws OptionError */
export function parseSize(option: string, text: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([km]?)$/i.exec(text) ?? []
  if (number === undefined) throw new OptionError(`${option} ${text}: not a size such as 50k, 2m or 50000`)
  const octets = Number(number) * ({ k: 1000, m: 1_000_000 }[unit.toLowerCase()] ?? 1)
  if (octets < 500 || octets > 36_700_160)
    throw new OptionError(`${option} ${text}: a message has 500 to 36700160 octets`)
  return octets
}

/** @throws OptionError */
export function parseNumber(option: string, text: string, minimum: number, maximum: number): number {
  const number = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || number < minimum || number > maximum)
    throw new OptionError(`${option} ${text}: not a number from ${minimum} to ${maximum}`)
  return number
}

/** @throws OptionError */
export function parseRoute(option: string, text: string): Route {
  const route = routes.find((each) => each === text)
  if (route === undefined) throw new OptionError(`${option} ${text}: not one of ${routes.join(', ')}`)
  return route
}

/** @param file JSON, as in cdk.json below `mailflow` @throws OptionError */
export function readSettings(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new OptionError(`--settings ${file}: ${(error as Error).message}`)
  }
}

/** Prints the message of an OptionError and ends the process; throws other errors. */
export function exitOnOptionError(error: unknown): never {
  const isUsage =
    error instanceof OptionError ||
    (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
  if (!isUsage) throw error
  process.stderr.write(`${(error as Error).message}\n`)
  process.exit(1)
}
