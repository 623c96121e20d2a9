/** The request for a report, from the address of its view. Pure. */
import { type Period, periodTimes, readPeriod } from '../../components/period.ts'
import { type ReportName, reportFacts } from './report-facts.ts'

/** As the API's. */
export const defaultPeriod: Period = { kind: 'Last', days: 7 }
/** As the API's: an address without a time zone shows the same days to each reader. */
export const defaultTimeZone = 'UTC'

/** @param now milliseconds since the epoch */
export function reportQuery(name: ReportName, state: Readonly<Record<string, string>>, now: number) {
  const { partner, connector, zone } = state
  const { hasPeriod, hasTimeZone, hasConnector } = reportFacts[name]
  const timeZone = hasTimeZone && zone !== undefined && isTimeZone(zone) ? zone : defaultTimeZone
  return {
    ...(hasPeriod && periodTimes(readPeriod(state) ?? defaultPeriod, timeZone, now)),
    ...(hasTimeZone && { timeZone }),
    partner,
    ...(hasConnector && { connector }),
  }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== null
  } catch {
    return false
  }
}
