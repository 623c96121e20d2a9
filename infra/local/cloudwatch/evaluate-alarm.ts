/**
 * Evaluates alarms as CloudWatch does
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html, and
 * alarms-and-missing-data.html). Two differences: the current minute counts although it has not ended, so that a user
 * need not wait for it; and the number of additional periods that are read for missing ones is always that of AWS's
 * examples.
 */
import type { AlarmState } from '../../../shared/contract/health.ts'
import type { MathExpression } from './metric-math.ts'
import type { MetricId, Statistic } from './metric-store.ts'

export interface MetricQuery {
  readonly metric: MetricId
  readonly statistic: Statistic
  readonly periodMinutes: number
}

export interface AlarmDefinition {
  readonly name: string
  readonly description: string
  /** The metrics by their ids in the expression. */
  readonly queries: ReadonlyMap<string, MetricQuery>
  readonly expression: MathExpression
  readonly threshold: number
  readonly comparison: Comparison
  /** Periods that must breach, and at the same time those that are evaluated. */
  readonly evaluationPeriods: number
  readonly treatMissingData: 'missing' | 'notBreaching'
}

const breaches = {
  GreaterThanOrEqualToThreshold: (value: number, threshold: number) => value >= threshold,
  LessThanThreshold: (value: number, threshold: number) => value < threshold,
  LessThanOrEqualToThreshold: (value: number, threshold: number) => value <= threshold,
}
export type Comparison = keyof typeof breaches
export const comparisons = Object.keys(breaches) as [Comparison, ...Comparison[]]

/** Periods that are read in addition, in case that some are missing. */
const additionalPeriods = 2

/** Minutes of which an evaluation needs the values. */
export const neededMinutes = ({ queries, evaluationPeriods }: AlarmDefinition): number =>
  Math.max(...[...queries.values()].map(({ periodMinutes }) => periodMinutes)) *
  (evaluationPeriods + additionalPeriods)

type ReadMetric = (query: MetricQuery, from: number, to: number) => number | null

/**
 * @param minute the current minute, the last of the latest period
 * @param read returns the statistic of the minutes `from` to `to`
 */
export function evaluateAlarm(alarm: AlarmDefinition, minute: number, read: ReadMetric): AlarmState {
  const periods = Array.from({ length: alarm.evaluationPeriods + additionalPeriods }, (_, period) =>
    alarm.expression((id) => {
      const query = alarm.queries.get(id)
      if (query === undefined) throw new Error(`${alarm.name}: no metric ${id}`)
      const to = minute - period * query.periodMinutes
      return read(query, to - query.periodMinutes + 1, to)
    }),
  )
  return stateOf(
    periods.map((value) => (value === null ? null : breaches[alarm.comparison](value, alarm.threshold))),
    alarm,
  )
}

/**
 * Applies the rules of CloudWatch for missing data to an alarm whose periods must all breach.
 * @param periods whether each period breaches, the latest first; null when its data is missing
 */
export function stateOf(
  periods: readonly (boolean | null)[],
  { evaluationPeriods, treatMissingData }: Pick<AlarmDefinition, 'evaluationPeriods' | 'treatMissingData'>,
): AlarmState {
  const known = periods.filter((period) => period !== null)
  // The latest known periods decide, when there are enough of them.
  if (known.length >= evaluationPeriods)
    return known.slice(0, evaluationPeriods).every(Boolean) ? 'ALARM' : 'OK'
  if (treatMissingData === 'notBreaching') return 'OK'
  if (known.length === 0) return 'INSUFFICIENT_DATA'
  // "The oldest available breaching data point … is at least as old as the value of Datapoints to Alarm."
  const age = periods.lastIndexOf(true) + 1
  return known.every(Boolean) && age >= evaluationPeriods ? 'ALARM' : 'OK'
}
