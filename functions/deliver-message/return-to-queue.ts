/**
 * Returns a job to its queue without an attempt. The job becomes a new SQS message, whose receive count begins at zero,
 * so waiting never moves a job to the dead-letter queue. When a job has waited too long for a slot, a failed attempt is
 * recorded. So the sender gets a delay DSN, and the message expires as after other failed attempts. In this file, slots
 * belong to the next hop (`destinationKey`), and the job's `destination` is the recipients' domain.
 */
import type { DeliveryJob } from '../../shared/contract/jobs.ts'
import type { Reply } from '../../shared/contract/message.ts'
import { reply } from '../../shared/mail/reply.ts'
import type { JobSender } from '../../shared/queues/job-queue.ts'

export type QueueReturnReason =
  /** The batch has too little time left. */
  | 'NoTime'
  /** All slots of the next hop are in use. */
  | 'NoSlot'
  /** All slots of the slow hosts are in use. */
  | 'NoSlotForSlowHost'
  /** The quota of Amazon SES per second permits the message later, or SES throttled the request. */
  | 'SesRate'
  /** The quota of Amazon SES for 24 hours is used up. */
  | 'SesDailyQuota'

/** Why a message does not go to Amazon SES now, and when its job tries again. */
export interface SesWait {
  reason: 'SesRate' | 'SesDailyQuota'
  /** The time that is reserved for the message; null when none could be reserved. */
  sendAt: Date | null
  /** From 0 to 900. */
  delaySeconds: number
  /** A clause about Amazon SES, for the sender. */
  text: string
}

export type QueueReturn = Exclude<QueueReturnReason, SesWait['reason']> | SesWait

export const reasonOf = (queueReturn: QueueReturn): QueueReturnReason =>
  typeof queueReturn === 'string' ? queueReturn : queueReturn.reason

export interface QueueReturnDependencies {
  delivery: JobSender<DeliveryJob>
  /** Returns a number in [0, 1). */
  random(): number
}

/** Maximum number of waits for a slot. They take about five minutes in all. */
export const maxWaits = 10
const maxBackoffSeconds = 60
/**
 * Maximum number of waits without a reserved time for Amazon SES. They take two to three hours when no time can be
 * reserved, and 38 to 76 minutes when SES throttles the job each time.
 */
export const maxSesWaits = 12
const firstThrottleBackoffSeconds = 15
/** AWS advises to wait "up to 10 minutes" (docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html). */
const maxThrottleBackoffSeconds = 600

/** @throws when the queue fails; SQS then retries the job */
export async function returnToQueue(
  job: DeliveryJob,
  queueReturn: QueueReturn,
  dependencies: QueueReturnDependencies,
): Promise<void> {
  const { delivery, random } = dependencies
  const { waits = 0 } = job
  const group = job.destination
  if (queueReturn === 'NoTime') return delivery.send([{ job, group }])
  const waited = { ...job, waits: waits + 1 }
  if (typeof queueReturn === 'string')
    return delivery.send([{ job: waited, delaySeconds: backoffSeconds(waits, random()), group }])
  const { sendAt, delaySeconds } = queueReturn
  // A job that SES throttled at its reserved time reserves another one.
  const { sendAt: _, ...unreserved } = waited
  const nextJob = sendAt === null ? unreserved : { ...job, sendAt: sendAt.toISOString() }
  return delivery.send([{ job: nextJob, delaySeconds, group }])
}

/**
 * Returns the reply for a job that has waited too long; null for other jobs. The text names the recipients' domain,
 * although the slots belong to the next hop, because the sender may not know the next hop. RFC 3463 §3.5: X.4.5 is
 * congestion.
 */
export function replyWhenGivenUp(
  { waits = 0, destination }: DeliveryJob,
  queueReturn: QueueReturn,
): Reply | null {
  if (typeof queueReturn !== 'string')
    return queueReturn.sendAt === null && waits >= maxSesWaits
      ? reply(451, '4.4.5', `Amazon SES cannot take the message yet: ${queueReturn.text}`)
      : null
  if (queueReturn === 'NoTime' || waits < maxWaits) return null
  if (queueReturn === 'NoSlotForSlowHost')
    return reply(
      451,
      '4.4.5',
      `The last attempt for ${destination} was slow, and all slots for slow hosts are in use`,
    )
  return reply(451, '4.4.5', `All slots for deliveries to ${destination} are in use`)
}

/** The backoff doubles with each wait. Jitter prevents many jobs from returning at the same time. */
const backoffSeconds = (waits: number, random: number): number =>
  withJitter(Math.min(maxBackoffSeconds, 2 ** (waits + 1)), random)

/** The wait of a job while Amazon SES throttles requests. It doubles with each wait. */
export const waitAfterThrottling = ({ waits = 0 }: Pick<DeliveryJob, 'waits'>, random: number): SesWait => ({
  reason: 'SesRate',
  sendAt: null,
  delaySeconds: withJitter(
    Math.min(maxThrottleBackoffSeconds, firstThrottleBackoffSeconds * 2 ** waits),
    random,
  ),
  text: 'it throttles requests',
})

const withJitter = (maxSeconds: number, random: number): number => Math.ceil(maxSeconds * (0.5 + random / 2))
