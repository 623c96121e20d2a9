/** The metrics of the stack in memory: for each metric and minute a statistic set, as CloudWatch stores them. */

/** The identity of a metric: another set of dimensions is another metric. */
export interface MetricId {
  readonly namespace: string
  readonly name: string
  readonly dimensions: Readonly<Record<string, string>>
}

/** The statistics that the template's alarms use. */
export const statistics = ['SampleCount', 'Sum', 'Average', 'Minimum', 'Maximum'] as const
export type Statistic = (typeof statistics)[number]

interface StatisticSet {
  count: number
  sum: number
  minimum: number
  maximum: number
}

export const minuteMs = 60_000
export const minuteOf = (timeMs: number): number => Math.floor(timeMs / minuteMs)

export class MetricStore {
  readonly #minutesByMetric = new Map<string, Map<number, StatisticSet>>()

  /** @param at milliseconds since the epoch */
  add(metric: MetricId, value: number, at: number): void {
    const key = keyOf(metric)
    const minutes = this.#minutesByMetric.get(key) ?? new Map<number, StatisticSet>()
    this.#minutesByMetric.set(key, minutes)
    const minute = minuteOf(at)
    minutes.set(minute, merge([minutes.get(minute) ?? noValues, valueSet(value)]))
  }

  /**
   * @param from the first minute, as in `minuteOf`
   * @param to the last minute
   * @returns null without a value in these minutes
   */
  read(metric: MetricId, statistic: Statistic, from: number, to: number): number | null {
    const minutes = [...(this.#minutesByMetric.get(keyOf(metric)) ?? [])]
    const { count, sum, minimum, maximum } = merge(
      minutes.filter(([minute]) => minute >= from && minute <= to).map(([, set]) => set),
    )
    if (count === 0) return null
    return { SampleCount: count, Sum: sum, Average: sum / count, Minimum: minimum, Maximum: maximum }[
      statistic
    ]
  }

  /** Forgets the values of earlier minutes. */
  dropBefore(minute: number): void {
    for (const minutes of this.#minutesByMetric.values())
      for (const old of [...minutes.keys()].filter((each) => each < minute)) minutes.delete(old)
  }
}

const keyOf = ({ namespace, name, dimensions }: MetricId): string =>
  JSON.stringify([namespace, name, ...Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1))])

const noValues: StatisticSet = { count: 0, sum: 0, minimum: Infinity, maximum: -Infinity }

const valueSet = (value: number): StatisticSet => ({ count: 1, sum: value, minimum: value, maximum: value })

const merge = (sets: readonly StatisticSet[]): StatisticSet =>
  sets.reduce(
    (all, { count, sum, minimum, maximum }) => ({
      count: all.count + count,
      sum: all.sum + sum,
      minimum: Math.min(all.minimum, minimum),
      maximum: Math.max(all.maximum, maximum),
    }),
    noValues,
  )
