/**
 * UTC hours at which the summary of the previous day is sent. By the minute of the first run, the hour after that day is
 * sealed: it has the events that were recorded late, and the search for missing ones. A later run sends what an earlier
 * one did not, and the last also a summary of hours that are not sealed.
 */
export const summaryHours = [2, 3, 5] as const
export const summaryMinute = 30
