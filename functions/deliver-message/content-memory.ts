/**
 * Limits the memory for the contents of a batch. The attack: fifty large messages in one batch. A content is in memory
 * several times while it is sent: with added fields, and with other line ends. For SES it is also in base64, and twice
 * as a form or as JSON. The defence: messages that were not read before their turn are read and sent only while all of
 * them together fit. Not covered: small messages, which are read before their turn; and a server that hangs with large
 * messages delays the other large messages of the batch.
 */
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import { weightLimiter } from '../../shared/limits/weight-limiter.ts'
import { maxPreloadOctets } from './deliver-job.ts'

/** Copies of a content in memory at the same time. */
const copies = { Smtp: 3, Ses: 4 }
/** The function has this much memory beside the runtime, its code, and small messages. */
const maxOctets = 128 * 1024 * 1024

/** @returns a function that runs a job's work when its content fits in memory */
export function contentMemory(): <T>(
  job: Pick<DeliveryJob, 'route' | 'message'>,
  work: () => Promise<T>,
) => Promise<T> {
  const limiter = weightLimiter(maxOctets)
  return ({ route, message: { content } }, work) => {
    if (route.kind === 'Ses') return limiter(copies.Ses * content.length, work)
    return content.length > maxPreloadOctets ? limiter(copies.Smtp * content.length, work) : work()
  }
}
