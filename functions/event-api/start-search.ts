/** Starts searches in the events, with the period of a request. */
import { TooManyRequestsException } from '@aws-sdk/client-athena'
import { newUlid } from '../../shared/content/ulid.ts'
import { dayMs, minuteMs } from '../../shared/contract/durations.ts'
import { recordingMinutes } from '../../shared/contract/seal-schedule.ts'
import type { TimeRange } from '../../shared/event-queries/sql.ts'
import type { EventSearch } from '../../shared/events/event-search.ts'
import { startOf } from '../../shared/events/hours.ts'
import { Problem } from '../../shared/http-api/problem.ts'

const defaultDays = 7

/** @throws Problem 429 */
export async function startSearch(search: Pick<EventSearch, 'start'>, sql: string): Promise<string> {
  try {
    return await search.start(sql, newUlid())
  } catch (error) {
    if (error instanceof TooManyRequestsException)
      throw new Problem(429, 'Too many searches run in this account. Try again in a minute.')
    throw error
  }
}

/**
 * Returns the period of a request, by default the last seven days.
 * @throws Problem 422 for a period that is empty, or begins before the retention
 */
export function rangeOf(
  { from, to }: { from?: Date | undefined; to?: Date | undefined },
  now: number,
  retentionDays: number,
): TimeRange {
  const end = to ?? new Date(now)
  const begin = from ?? new Date(end.getTime() - defaultDays * dayMs)
  if (begin >= end) throw invalidField('from', 'must be earlier than to')
  if (now - begin.getTime() > (retentionDays + 1) * dayMs)
    throw invalidField('from', `is more than ${retentionDays} days ago; events are kept for this time`)
  return { from: begin, to: end }
}

/**
 * Returns the time until which the Parquet files have all mail, ISO 8601. The first unsealed hour recorded the events of the
 * minutes before it.
 * @param open the first hour that is not sealed, `YYYY-MM-DDTHH`
 */
export const completeUntil = (open: string): string =>
  new Date(startOf(open) - recordingMinutes * minuteMs).toISOString()

const notePrefix = '-- complete until '

/** Notes the time in the SQL, which Athena keeps with the search. */
export const noteCompleteUntil = (sql: string, until: string): string => `${notePrefix}${until}\n${sql}`

/** @returns ISO 8601; null for a search of an earlier version */
export function notedCompleteUntil(sql: string): string | null {
  const [line = ''] = sql.split('\n', 1)
  return line.startsWith(notePrefix) ? line.slice(notePrefix.length) : null
}

const invalidField = (path: string, message: string): Problem =>
  new Problem(422, 'The body is not valid.', { errors: [{ path, message }] })
