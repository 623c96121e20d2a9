/** Errors that end a command. Their texts are written for the person at the terminal. */

/** Exit statuses. Scripts rely on these numbers. */
export const exit = { ok: 0, fault: 1, usage: 2, differs: 3 } as const
export type ExitStatus = (typeof exit)[keyof typeof exit]

/** Reports a wrong file, or an API that fails or is unreachable. `lines` are printed below the message. */
export class Fault extends Error {
  readonly lines: readonly string[]

  constructor(message: string, lines: readonly string[] = []) {
    super(message)
    this.lines = lines
  }
}

/** Reports wrong arguments or options. */
export class UsageFault extends Error {}
