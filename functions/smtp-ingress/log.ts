/** Writes one JSON object a line, as CloudWatch Logs Insights reads it. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void

export const logTo =
  (write: (line: string) => void, now = () => new Date()): Log =>
  (level, message, fields) =>
    write(
      `${JSON.stringify({ timestamp: now().toISOString(), level, message, unit: 'smtp-ingress', ...fields })}\n`,
    )

export function causeOf(error: unknown): string {
  return (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).trim()
}

/** Milliseconds during which lines are collected. */
const gatherMs = 10

/**
 * Writes lines together, since each write to a pipe is a blocking system call. The first line after a pause goes out
 * with its turn of the event loop; later lines follow within ten milliseconds.
 */
export function lineWriter(write: (lines: string) => void): ((line: string) => void) & { flush(): void } {
  let lines = ''
  let isGathering = false
  const flush = () => {
    if (lines === '') return
    write(lines)
    lines = ''
  }
  const gather = () => {
    isGathering = lines !== ''
    flush()
    if (isGathering) setTimeout(gather, gatherMs).unref()
  }
  const take = (line: string) => {
    lines += line
    if (isGathering) return
    isGathering = true
    setImmediate(gather)
  }
  return Object.assign(take, { flush })
}
