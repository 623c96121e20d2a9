/** How many sessions there may be: in all, and of one address. */
import type { Refused } from './replies.ts'

export interface Admission {
  /**
   * Counts a session of this address.
   * @returns null, and the session is counted until `release`; or how it is refused, and it is not counted
   */
  admit(address: string): Refused | null | Promise<Refused | null>
  /** A session that was admitted has ended. */
  release(address: string): void
}
