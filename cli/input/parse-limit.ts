import { UsageError } from '../command-error.ts'

/** Parses the value of `--limit`. */
export function parseLimit(text: string | undefined, defaultLimit: number): number {
  if (text === undefined) return defaultLimit
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text)
  throw new UsageError(`--limit ${text}: not a number from 1 to 9999999`)
}
