/** The sending client's view of a run. */

/** The ending of a try to send a message. `Closed`: the connection closed before a reply. */
export type Ending =
  | { kind: 'Accepted'; id: string }
  | { kind: 'Deferred'; reply: string }
  | { kind: 'Refused'; reply: string }
  | { kind: 'Closed' }
  /** No reply before the client's timeout. */
  | { kind: 'Silent' }

export interface Try {
  /** `began` and `ended` are milliseconds of `performance.now`. */
  began: number
  ended: number
  ending: Ending
}

/**
 * Every try of every message. The reverse path contains the numbers of message and try, so that a job identifies its
 * try.
 */
export class Ledger {
  readonly tries = new Map<number, Try[]>()

  begin(message: number): number {
    const tries = this.tries.get(message) ?? []
    this.tries.set(message, tries)
    tries.push({ began: performance.now(), ended: Number.POSITIVE_INFINITY, ending: { kind: 'Closed' } })
    return tries.length - 1
  }

  end(message: number, number: number, ending: Ending): void {
    const entry = this.tries.get(message)?.[number]
    if (entry) Object.assign(entry, { ended: performance.now(), ending })
  }
}

export const reversePath = (message: number, number: number) => `m${message}.t${number}@elsewhere.example`

/** @returns null for another reverse path */
export function readReversePath(path: string): { message: number; number: number } | null {
  const [, message, number] = /^m(\d+)\.t(\d+)@elsewhere\.example$/.exec(path) ?? []
  return message === undefined ? null : { message: Number(message), number: Number(number) }
}
