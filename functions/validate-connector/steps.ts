/** Builds the reported steps of a validation. */
import type { ValidationStep } from '../../shared/connectors/validation.ts'
import { toSingleLine } from '../../shared/mail/peer-text.ts'

const maxDetailLength = 300

export type ReportedStep = Pick<ValidationStep, 'step' | 'succeeded' | 'detail'> & Partial<ValidationStep>

/** The detail may quote a server, so it is put on one line and shortened. */
export function stepOf(reported: ReportedStep): ValidationStep {
  const { step, host = null, ip = null, succeeded, detail, durationMs = 0 } = reported
  return {
    step,
    host,
    ip,
    succeeded,
    detail: toSingleLine(detail, maxDetailLength),
    durationMs: Math.max(0, Math.round(durationMs)),
    tls: reported.tls ?? null,
    certificates: reported.certificates ?? [],
  }
}

/** Runs a task and measures its duration in milliseconds. */
export async function measureDuration<T>(task: () => Promise<T>): Promise<{ value: T; durationMs: number }> {
  const startedAt = performance.now()
  const value = await task()
  return { value, durationMs: performance.now() - startedAt }
}
