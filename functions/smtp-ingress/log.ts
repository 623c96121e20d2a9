/** One JSON object a line, which is what CloudWatch Logs Insights reads. */
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

/** What an error says, for the log. */
export function causeOf(error: unknown): string {
  return (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).trim()
}

/** Milliseconds that lines are gathered in. */
const gatherMs = 10

/**
 * Writes lines together, since each write to a pipe is a system call that blocks: a line after a pause with what its
 * turn of the event loop brings, those that follow it ten milliseconds later at the latest.
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
