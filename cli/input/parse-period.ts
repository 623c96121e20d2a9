import { UsageError } from '../command-error.ts'
import { parseInstant } from './parse-instant.ts'

/** Values of `--since` and `--until`. */
export interface PeriodOptions {
  readonly since: string | undefined
  readonly until: string | undefined
}

/**
 * @param now milliseconds since the epoch
 * @param timeZone of times without an offset
 * @returns ISO 8601 in UTC; undefined without the option
 * @throws UsageError
 */
export function parsePeriod(
  { since, until }: PeriodOptions,
  now: number,
  timeZone?: string,
): { from: string | undefined; to: string | undefined } {
  const from = since === undefined ? undefined : parseInstant('--since', since, now, timeZone)
  const to = until === undefined ? undefined : parseInstant('--until', until, now, timeZone)
  if (from !== undefined && from >= (to ?? new Date(now).toISOString()))
    throw new UsageError(`--since ${since}: not before ${until === undefined ? 'now' : `--until ${until}`}`)
  return { from, to }
}
