/** Writes one JSON object per line, as CloudWatch Logs Insights reads it. */
import { visibleJson } from '../../shared/contract/visible-text.ts'

export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void

export const createLog =
  (write: (line: string) => void, now = () => new Date()): Log =>
  (level, message, fields) =>
    write(
      `${visibleJson({ timestamp: now().toISOString(), level, message, unit: 'smtp-ingress', ...fields })}\n`,
    )

export function causeOf(error: unknown): string {
  return (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).trim()
}

/** Milliseconds during which lines are collected. */
const collectMs = 10

/**
 * Writes lines together, because each write to a pipe is a blocking system call. The first line after a pause is
 * written at the end of the same turn of the event loop; later lines follow within ten milliseconds.
 */
export function createLineWriter(
  write: (lines: string) => void,
): ((line: string) => void) & { flush(): void } {
  let lines = ''
  let isCollecting = false
  const flush = () => {
    if (lines === '') return
    write(lines)
    lines = ''
  }
  const collect = () => {
    isCollecting = lines !== ''
    flush()
    if (isCollecting) setTimeout(collect, collectMs).unref()
  }
  const writeLine = (line: string) => {
    lines += line
    if (isCollecting) return
    isCollecting = true
    setImmediate(collect)
  }
  return Object.assign(writeLine, { flush })
}
