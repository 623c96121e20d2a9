/** What ends a command early. Everything in these is written for the person at the terminal. */

/** How a command ended; scripts rely on these. */
export const exit = { ok: 0, fault: 1, usage: 2, differs: 3 } as const
export type ExitStatus = (typeof exit)[keyof typeof exit]

/** Something is wrong with a file, the API or the way to it. Each line is printed below the message. */
export class Fault extends Error {
  readonly lines: readonly string[]

  constructor(message: string, lines: readonly string[] = []) {
    super(message)
    this.lines = lines
  }
}

/** The command was called in a way that it cannot be called. */
export class UsageFault extends Error {}
