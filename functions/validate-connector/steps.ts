/** A step of a validation, as it is reported. */
import type { ValidationStep } from '../../shared/connectors/validation.ts'

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
    detail: inOneLine(detail).slice(0, longestDetail).toWellFormed(),
    durationMs: Math.max(0, Math.round(durationMs)),
    tls: reported.tls ?? null,
    certificates: reported.certificates ?? [],
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
const inOneLine = (text: string): string => text.replace(/[\x00-\x1f\x7f]+/g, ' ').trim()

/** Runs a task and tells how long it took, in milliseconds. */
export async function timed<T>(task: () => Promise<T>): Promise<{ value: T; durationMs: number }> {
  const begun = performance.now()
  const value = await task()
  return { value, durationMs: performance.now() - begun }
}
