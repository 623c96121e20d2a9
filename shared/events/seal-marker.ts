/** The last object of a seal: with it the events of a recorded hour and shard are complete in Parquet and rollups. */
import * as z from 'zod'

const requiredKind = z.enum(['Accepted', 'Decided', 'Attempted', 'Delivered', 'Bounced'])

export const MissingEvent = z.object({
  kind: requiredKind,
  messageId: z.string(),
  recipient: z.string(),
})
export type MissingEvent = z.infer<typeof MissingEvent>

export const Reconciliation = z.object({
  recipients: z.int().nonnegative().describe('recipients that were compared with the events'),
  open: z.int().nonnegative().describe('of these, those in progress'),
  missing: z.partialRecord(requiredKind, z.int().positive()).describe('missing events by kind'),
  samples: z.array(MissingEvent).describe('the first missing events'),
})
export type Reconciliation = z.infer<typeof Reconciliation>

export const SealMarker = z.object({
  schemaVersion: z.int(),
  softwareVersion: z.string(),
  /** The recorded hour, `YYYY-MM-DDTHH`. */
  hour: z.string(),
  shard: z.int().nonnegative(),
  shards: z.int().positive(),
  events: z.int().nonnegative().describe('events that this seal has written'),
  byKind: z.record(z.string(), z.int().positive()),
  duplicates: z.int().nonnegative().describe('copies that were dropped'),
  late: z.int().nonnegative().describe('events that happened more than two hours before the hour'),
  reconciliation: Reconciliation,
})
export type SealMarker = z.infer<typeof SealMarker>

export const missingCount = ({ missing }: Pick<Reconciliation, 'missing'>): number =>
  Object.values(missing).reduce((sum, count) => sum + count, 0)
