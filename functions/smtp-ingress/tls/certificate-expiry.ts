/**
 * Publishes the remaining lifetime of the served certificate: senders that verify it silently stop when it has expired.
 */
import { dayMs } from '../../../shared/contract/durations.ts'
import { Metric } from '../../../shared/contract/metrics.ts'
import { Metrics } from '../metrics.ts'

export interface CertificateExpiryOptions {
  /** The expiry of what is currently served. */
  expires(): Date
  /** Takes a line of metrics, with its line end. */
  write(line: string): void
  now(): Date
}

const everyMs = 60_000

/** @returns a function that stops it */
export function watchCertificateExpiry({ expires, write, now }: CertificateExpiryOptions): () => void {
  const tell = () => {
    const at = now().getTime()
    const daysLeft = Math.floor((expires().getTime() - at) / dayMs)
    new Metrics().flush({ [Metric.certificateDaysLeft]: daysLeft }, at).forEach(write)
  }
  const timer = setInterval(tell, everyMs).unref()
  return () => clearInterval(timer)
}
