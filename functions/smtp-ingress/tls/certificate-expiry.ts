/** How long our own certificate is still good: senders that verify it stop, without a word, when it has expired. */
import { dayMs } from '../../../shared/contract/durations.ts'
import { Metric } from '../../../shared/contract/metrics.ts'
import { Metrics } from '../metrics.ts'

export interface CertificateExpiryOptions {
  /** Of what is served at the moment. */
  expires(): Date
  /** Takes a line of metrics, with its end of line. */
  write(line: string): void
  now(): Date
}

const everyMs = 60_000

/** @returns how to end it */
export function watchCertificateExpiry({ expires, write, now }: CertificateExpiryOptions): () => void {
  const tell = () => {
    const at = now().getTime()
    const daysLeft = Math.floor((expires().getTime() - at) / dayMs)
    new Metrics().flush({ [Metric.certificateDaysLeft]: daysLeft }, at).forEach(write)
  }
  const timer = setInterval(tell, everyMs).unref()
  return () => clearInterval(timer)
}
