/**
 * Returns recipients whose request Amazon SES throttled. SES has not accepted the message, so the attempt counts as not
 * begun: its claim is released, and the job waits in its queue. A worker that repeated the request until SES accepts it
 * would delay the mail to all other next hops, which shares its workers.
 */
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import type { Recipient } from '../../shared/contract/message.ts'
import type { AttemptClaims } from '../../shared/messages/attempt-claims.ts'
import { requestDecision, type StaleDependencies } from './return-stale-decisions.ts'
import {
  maxSesWaits,
  type QueueReturnDependencies,
  returnToQueue,
  waitAfterThrottling,
} from './return-to-queue.ts'

export interface ThrottledDependencies extends QueueReturnDependencies, StaleDependencies {
  claims: Pick<AttemptClaims, 'claim' | 'complete' | 'release'>
}

/** Recipients of one job that were sent nothing, and the holder of their claims. */
export interface Throttled {
  recipients: Recipient[]
  holder: string
}

/** False after the last permitted wait: then the throttled request is a failed attempt. */
export const mayWaitAgain = ({ waits = 0 }: DeliveryJob): boolean => waits < maxSesWaits

/**
 * @param isRetried whether SQS retries the job, which then needs no copy
 * @returns the number of recipients that returned to the queue, and for a new decision
 */
export async function returnThrottled(
  job: DeliveryJob,
  { recipients, holder }: Throttled,
  isRetried: boolean,
  dependencies: ThrottledDependencies,
): Promise<{ toQueue: number; forDecision: number }> {
  if (recipients.length === 0) return { toQueue: 0, forDecision: 0 }
  const { message, attempt } = job
  const addresses = recipients.map(({ address }) => address)
  await Promise.all(
    addresses.map((address) =>
      dependencies.claims.release({ messageId: message.id, address, attempt }, holder),
    ),
  )
  // A request to return or drop a message does not cancel an attempt that has begun: its outcome leads to the next
  // decision.
  const progress = await dependencies.trace.progress(message.id, addresses)
  const isGivenUp = ({ address }: Recipient) => {
    const { isReturned = false, isDropped = false } = progress.get(address) ?? {}
    return isReturned || isDropped
  }
  const givenUp = recipients.filter(isGivenUp)
  if (givenUp.length > 0) await requestDecision(message, givenUp, dependencies)
  const waiting = recipients.filter((recipient) => !isGivenUp(recipient))
  if (waiting.length > 0 && !isRetried) {
    const wait = waitAfterThrottling(job, dependencies.random())
    await returnToQueue({ ...job, recipients: waiting }, wait, dependencies)
  }
  return { toQueue: isRetried ? 0 : waiting.length, forDecision: givenUp.length }
}
