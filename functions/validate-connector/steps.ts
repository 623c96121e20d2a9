/** A step of a validation, as it is reported. */
import type { ValidationStep } from '../../shared/connectors/validation.ts'
import { inOneLine } from '../../shared/mail/peer-words.ts'

/** Characters. */
const longestDetail = 300

export type Reported = Pick<ValidationStep, 'step' | 'succeeded' | 'detail'> & Partial<ValidationStep>

/** The detail may quote a peer: it is brought into one line, and cut. */
export function stepOf(reported: Reported): ValidationStep {
  const { step, host = null, ip = null, succeeded, detail, durationMs = 0 } = reported
  return {
    step,
    host,
    ip,
    succeeded,
    detail: inOneLine(detail, longestDetail),
    durationMs: Math.max(0, Math.round(durationMs)),
    tls: reported.tls ?? null,
    certificates: reported.certificates ?? [],
  }
}

/** Runs a task and tells how long it took, in milliseconds. */
export async function timed<T>(task: () => Promise<T>): Promise<{ value: T; durationMs: number }> {
  const begun = performance.now()
  const value = await task()
  return { value, durationMs: performance.now() - begun }
}
