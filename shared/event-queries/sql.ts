/**
 * Parts of SQL for the table of events, in the dialect that Athena and the local runner have in common. The attack: a
 * text of a request ends its literal and changes the query. The defence: a literal ends only at a single quote, and each
 * quote of the text is doubled; a backslash has no meaning in it. Pure.
 */
import { dayMs } from '../contract/durations.ts'

export const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`

export const sqlTime = (at: Date): string => `TIMESTAMP '${at.toISOString().slice(0, 23).replace('T', ' ')}'`

/** The names of columns that are key words. */
export const at = '"at"'

/** Days after a message's receipt in which its events happen: it is deferred for a day at most. */
const lifetimeDays = 3

export interface TimeRange {
  from: Date
  /** Excluded. */
  to: Date
}

/** Events that happened in the range. The days limit the files that are read. */
export const happenedIn = ({ from, to }: TimeRange): string =>
  `${dayIn(from, to)} AND ${at} >= ${sqlTime(from)} AND ${at} < ${sqlTime(to)}`

/** Events of messages that were received in the range. */
export const ofMessagesReceivedIn = ({ from, to }: TimeRange): string =>
  dayIn(from, new Date(to.getTime() + lifetimeDays * dayMs))

const dayIn = (from: Date, to: Date): string =>
  `day BETWEEN ${sqlText(dayOf(from))} AND ${sqlText(dayOf(new Date(to.getTime() - 1)))}`

const dayOf = (time: Date): string => time.toISOString().slice(0, 10)

/** Compares without letter case. */
export const equalsIgnoringCase = (column: string, text: string): string =>
  `lower(${column}) = ${sqlText(text.toLowerCase())}`
