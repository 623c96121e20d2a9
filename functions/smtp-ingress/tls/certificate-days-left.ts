/**
 * Publishes the number of days until the served certificate expires. Clients that verify certificates then send no more
 * mail, and the ingress sees only failed handshakes.
 */
import { dayMs } from '../../../shared/contract/durations.ts'
import { Metric } from '../../../shared/contract/metrics.ts'
import { Metrics } from '../metrics.ts'

export interface DaysLeftOptions {
  /** The expiry of the certificate that is currently served. */
  expiresAt(): Date
  /** Takes a line of metrics, with its line end. */
  write(line: string): void
  now(): Date
}

const intervalMs = 60_000

/** @returns a function that stops the metric */
export function publishDaysLeft({ expiresAt, write, now }: DaysLeftOptions): () => void {
  const publish = () => {
    const at = now().getTime()
    const daysLeft = Math.floor((expiresAt().getTime() - at) / dayMs)
    new Metrics().flush({ [Metric.certificateDaysLeft]: daysLeft }, at).forEach(write)
  }
  const timer = setInterval(publish, intervalMs).unref()
  return () => clearInterval(timer)
}
