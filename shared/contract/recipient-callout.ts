/** The event and the result of check-recipient, which the ingress invokes. */
import * as z from 'zod'

export const CalloutRequest = z.strictObject({ address: z.string().min(3).max(320) })

export const CalloutResult = z.strictObject({
  /** `Undetermined`: the mailbox server said nothing about the recipient, or could not be queried. */
  result: z.enum(['Exists', 'Unknown', 'Undetermined']),
  /** The server's reply, or why there is none; for the log. */
  detail: z.string(),
  /** True when no session with the mailbox server could be opened, for any recipient. */
  isUnreachable: z.boolean().optional(),
})
export type CalloutResult = z.output<typeof CalloutResult>
