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

/** Writes the lines of one turn of the event loop at once: a write to a pipe is a system call that blocks. */
export function lineWriter(write: (lines: string) => void): (line: string) => void {
  let lines = ''
  const flush = () => {
    write(lines)
    lines = ''
  }
  return (line) => {
    if (lines === '') setImmediate(flush)
    lines += line
  }
}
