/** Decides what the alarms of the stack mean together. */
import { alarmStates, type Health, type HealthAlarm } from '../../shared/contract/health.ts'
import { softwareVersion } from '../../shared/contract/software-version.ts'
import { countText, firstNames } from '../../shared/policy/text-lists.ts'

/** Titles in the summary; the list of alarms has all. */
const maxTitles = 3

export function describeHealth(alarms: readonly HealthAlarm[]): Health {
  const sorted = [...alarms].sort(byUrgency)
  const inState = (state: HealthAlarm['state']) => sorted.filter((alarm) => alarm.state === state)
  return {
    ...statusOf(inState('ALARM'), inState('INSUFFICIENT_DATA'), alarms.length),
    softwareVersion,
    alarms: sorted,
  }
}

/** @param cause why the alarms could not be read, such as CloudWatch's error code */
export const unknownHealth = (cause: string): Health => ({
  status: 'Unknown',
  summary: `The alarms cannot be read from CloudWatch: ${cause}. The log of connector-api has the details.`,
  softwareVersion,
  alarms: [],
})

function statusOf(
  ringing: readonly HealthAlarm[],
  undetermined: readonly HealthAlarm[],
  total: number,
): Pick<Health, 'status' | 'summary'> {
  const partOfAll = ({ length }: readonly HealthAlarm[], verb: string) =>
    `${length} of ${countText(total, 'alarm')} ${verb}${length === 1 ? 's' : ''}`
  const titlesOf = (alarms: readonly HealthAlarm[]) =>
    firstNames(
      alarms.map(({ title }) => `"${title}"`),
      maxTitles,
    )
  if (ringing.length > 0)
    return { status: 'Alarms', summary: `${partOfAll(ringing, 'ring')}: ${titlesOf(ringing)}.` }
  if (total === 0) return { status: 'Unknown', summary: 'CloudWatch has no alarm of this stack.' }
  if (undetermined.length > 0)
    return {
      status: 'Unknown',
      summary: `No alarm rings, but ${partOfAll(undetermined, 'lack')} data: ${titlesOf(undetermined)}.`,
    }
  return { status: 'Good', summary: `None of ${countText(total, 'alarm')} rings.` }
}

const byUrgency = (a: HealthAlarm, b: HealthAlarm): number =>
  alarmStates.indexOf(a.state) - alarmStates.indexOf(b.state) ||
  Date.parse(a.since) - Date.parse(b.since) ||
  (a.title < b.title ? -1 : 1)
