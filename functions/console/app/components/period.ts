/** Periods of whole days, in the address of a view and for the API. Pure. */

/** The last days, the present one included; or from one day to another, both included, as `YYYY-MM-DD`. */
export type Period = { kind: 'Last'; days: number } | { kind: 'Days'; from: string; to: string }

const dayMs = 86_400_000
const isDay = (text: string | undefined): text is string =>
  text !== undefined && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))

/** @returns null if the address has no period, or an invalid one */
export function readPeriod({ days, from, to }: Readonly<Record<string, string>>): Period | null {
  if (isDay(from) && isDay(to) && from <= to) return { kind: 'Days', from, to }
  const count = Number(days)
  return Number.isInteger(count) && count > 0 && count <= 3650 ? { kind: 'Last', days: count } : null
}

/** @returns the parameters of the address; empty texts remove them */
export const periodState = (period: Period | null): Record<string, string> =>
  period === null
    ? { days: '', from: '', to: '' }
    : period.kind === 'Last'
      ? { days: String(period.days), from: '', to: '' }
      : { days: '', from: period.from, to: period.to }

/** @returns the times for the API: from the first day's begin, before the end of the last one */
export function periodTimes(
  period: Period,
  timeZone: string,
  now: number,
): { from: string; to: string | undefined } {
  if (period.kind === 'Days')
    return { from: dayStart(period.from, timeZone), to: dayStart(nextDay(period.to), timeZone) }
  const today = dayOf(now, timeZone)
  return { from: dayStart(addDays(today, 1 - period.days), timeZone), to: undefined }
}

/** @returns each day of the period, `YYYY-MM-DD` */
export function daysBetween(from: string, to: string): string[] {
  const days: string[] = []
  for (let day = from; day <= to; day = nextDay(day)) days.push(day)
  return days
}

/** @returns the day of a time in a time zone, `YYYY-MM-DD` */
export const dayOf = (at: number, timeZone: string): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(at)

const addDays = (day: string, count: number): string =>
  new Date(Date.parse(day) + count * dayMs).toISOString().slice(0, 10)
const nextDay = (day: string): string => addDays(day, 1)

/** The first instant of the day. Zones are at most 14 hours from UTC, and change by quarters of an hour. */
function dayStart(day: string, timeZone: string): string {
  const quarterMs = 900_000
  let earlier = (Date.parse(day) - dayMs) / quarterMs
  let later = (Date.parse(day) + dayMs) / quarterMs
  while (later - earlier > 1) {
    const middle = Math.floor((earlier + later) / 2)
    if (dayOf(middle * quarterMs, timeZone) < day) earlier = middle
    else later = middle
  }
  return new Date(later * quarterMs).toISOString()
}
