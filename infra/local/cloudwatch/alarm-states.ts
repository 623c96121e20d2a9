/** The states of the alarms, and since when each has its state. */
import type { AlarmState } from '../../../shared/contract/health.ts'
import { type AlarmDefinition, evaluateAlarm, neededMinutes } from './evaluate-alarm.ts'
import { type MetricStore, minuteOf } from './metric-store.ts'

export interface DescribedAlarm {
  readonly name: string
  readonly description: string
  readonly state: AlarmState
  /** Milliseconds since the epoch. */
  readonly since: number
}

export class AlarmStates {
  readonly #metrics: MetricStore
  readonly #definitions: readonly AlarmDefinition[]
  #alarms: DescribedAlarm[]

  /** @param now milliseconds since the epoch; a new alarm has the state `INSUFFICIENT_DATA` until it is evaluated */
  constructor(definitions: readonly AlarmDefinition[], metrics: MetricStore, now: number) {
    this.#definitions = definitions
    this.#metrics = metrics
    this.#alarms = definitions.map(({ name, description }) => ({
      name,
      description,
      state: 'INSUFFICIENT_DATA',
      since: now,
    }))
  }

  /** @returns the alarms in the order of their names */
  evaluate(now: number): DescribedAlarm[] {
    const minute = minuteOf(now)
    this.#metrics.dropBefore(minute - Math.max(0, ...this.#definitions.map(neededMinutes)))
    this.#alarms = this.#definitions.map((definition, index) => {
      const alarm = this.#alarms[index] as DescribedAlarm
      const state = evaluateAlarm(definition, minute, ({ metric, statistic }, from, to) =>
        this.#metrics.read(metric, statistic, from, to),
      )
      return state === alarm.state ? alarm : { ...alarm, state, since: now }
    })
    return this.#alarms.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }
}
