/** The event of erase-address, which event-api and the function itself invoke. Lambda stores it until the invocation ends. */
import * as z from 'zod'

/** Where an invocation continues. It is in the event and not in the bucket, because keys of items have addresses. */
const ErasePosition = z.strictObject({
  /** Number of passes that have ended. */
  passes: z.int().nonnegative(),
  /** Index of the step in the pass. */
  step: z.int().nonnegative(),
  /** What the step has ended; its type is the step's own. */
  after: z.unknown(),
  /** Whether this pass has found the address. */
  hasFound: z.boolean(),
  /** Messages of this pass that are not delivered or bounced, and ids of the first. */
  unsettled: z.int().nonnegative(),
  samples: z.array(z.string()),
  /** When a raw object was rewritten last, in milliseconds since the epoch. */
  rawChangedAt: z.number().nullable(),
  /** Whether the pass begins after a wait. */
  waits: z.boolean(),
})
export type ErasePosition = z.output<typeof ErasePosition>

export const EraseRequest = z.strictObject({
  /** Id of the erasure. */
  id: z.ulid(),
  address: z.string().min(3).max(320),
  position: ErasePosition.optional(),
})
export type EraseRequest = z.output<typeof EraseRequest>
