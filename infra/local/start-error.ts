/** Reports why the runner cannot start. The message is one line for the user. */
export class StartError extends Error {}

/** Returns the first line of an error's message; accepts any thrown value. */
export function firstErrorLine(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error)
  return message.split('\n')[0] ?? ''
}
