import { canaryRetentionDays } from '../contract/canary.ts'
import { daySeconds } from '../contract/durations.ts'
import type { Message } from '../contract/message.ts'
import { expiryAfter } from '../dynamodb/expiry-after.ts'

/**
 * Returns when the trace of a message and its claims expire, in seconds since the epoch. A claim on a canary need not
 * outlive its jobs, because no canary is counted twice.
 */
export const traceExpiry = (
  { receivedAt, canary }: Pick<Message, 'receivedAt' | 'canary'>,
  retentionDays: number,
): number =>
  expiryAfter(new Date(receivedAt), (canary === undefined ? retentionDays : canaryRetentionDays) * daySeconds)
