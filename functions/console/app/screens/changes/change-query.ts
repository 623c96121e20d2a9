/** The request for changes, from the address of the view. Pure. */
import { periodTimes, readPeriod } from '../../components/period.ts'

const pageSize = 100

export const changeKinds = [
  { value: 'inbound-connector', label: 'Inbound connectors' },
  { value: 'outbound-connector', label: 'Outbound connectors' },
  { value: 'accepted-domain', label: 'Accepted domains' },
] as const

/** @param now milliseconds since the epoch */
export function changeQuery(state: Readonly<Record<string, string>>, timeZone: string, now: number) {
  const { actor, kind, key } = state
  const period = readPeriod(state)
  return {
    limit: pageSize,
    actor,
    kind: changeKinds.some(({ value }) => value === kind) ? kind : undefined,
    key,
    ...(period !== null && periodTimes(period, timeZone, now)),
  }
}
