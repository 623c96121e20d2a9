/** Reads what waits. */
import * as z from 'zod'
import type { ApiClient } from '../api/api-client.ts'
import type { QueueFilter } from './queue-filter.ts'

/** The fields that the commands print. Others are ignored, so that newer gateways work. */
const Queue = z.object({
  partner: z.string().nullable(),
  direction: z.string(),
  reason: z.string(),
  connector: z.string().nullable(),
  recipients: z.int(),
  messages: z.int(),
  octets: z.int(),
  oldest: z.string(),
  expires: z.string(),
  nextAttempt: z.string(),
  samples: z.array(z.string()),
})
export type Queue = z.output<typeof Queue>

const QueueList = z.object({ items: z.array(Queue), omitted: z.int(), complete: z.boolean() })
export type QueueList = z.output<typeof QueueList>

export const readQueues = (api: ApiClient, filter: QueueFilter): Promise<QueueList> =>
  api.get(QueueList, '/queues', { ...filter })
