/** Why the runner cannot start: its message is the one line a user reads. */
export class StartError extends Error {}

/** The first line of what went wrong, whatever was thrown. */
export function causeOf(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error)
  return message.split('\n')[0] ?? ''
}
