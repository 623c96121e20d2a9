/** Errors that end a command. The user reads their texts in the terminal. */

/** Exit statuses. Scripts rely on these numbers. */
export const exitStatus = { ok: 0, failure: 1, usage: 2, differences: 3 } as const
export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus]

/** Reports a wrong file, or an API that fails or is unreachable. `lines` are printed below the message. */
export class CommandError extends Error {
  readonly lines: readonly string[]

  constructor(message: string, lines: readonly string[] = []) {
    super(message)
    this.lines = lines
  }
}

/** Reports wrong arguments or options. */
export class UsageError extends Error {}
