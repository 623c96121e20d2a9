/**
 * Keeps measurements of hosts for a minute: the domains of an organisation share MX hosts, and each measurement makes
 * thirty connections, which count in the host's limits.
 */
import { RecentMap } from '../../../shared/limits/recent-map.ts'
import type { HostMeasurement } from './measure-host.ts'

const maxAgeMs = 60_000
const maxHosts = 200

export interface TimedMeasurement extends HostMeasurement {
  measuredAt: Date
}

export class RecentMeasurements {
  readonly #now: () => number
  readonly #measurements = new RecentMap<string, { at: number; result: Promise<TimedMeasurement> }>(maxHosts)

  /** @param now milliseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now
  }

  /** A measurement that lacks facts is not kept for another request. */
  async measure(
    host: string,
    measure: (host: string) => Promise<HostMeasurement>,
  ): Promise<TimedMeasurement> {
    const at = this.#now()
    const known = this.#measurements.get(host)
    if (known && at - known.at < maxAgeMs) return known.result
    const result = measure(host).then((measurement) => {
      if (measurement.state !== 'Measured') this.#measurements.delete(host)
      return { ...measurement, measuredAt: new Date(at) }
    })
    this.#measurements.set(host, { at, result })
    return result
  }
}
