/**
 * An administrator's requests for waiting mail: retry it now, release it to the current connectors, or return it to
 * its sender. This module decides nothing. It records a release or a return in the trace, and sends a job to
 * evaluate-policy, like the delayed job that arrives when the backoff ends. deliver-message claims each attempt by its
 * number. So a repeated request or an old trace does no harm: a settled recipient stays settled, and an attempt under
 * way is not repeated. The delayed job that arrives later finds its attempt claimed.
 */
import { type EvaluationJob, splitForJobs } from '../../shared/contract/jobs.ts'
import type { Recipient } from '../../shared/contract/message.ts'
import type { History, MessageWithRecipients } from '../../shared/messages/history.ts'
import type { AdministratorRequest, RecipientState } from '../../shared/messages/recipient-item.ts'
import type { Trace } from '../../shared/messages/trace.ts'
import type { JobSender, OutgoingJob } from '../../shared/queues/job-queue.ts'

export interface Dependencies {
  history: Pick<History, 'find' | 'messageWithRecipients'>
  evaluation: JobSender<EvaluationJob>
  /** Milliseconds since the epoch. */
  now: () => number
}

export type TracedRecipient = MessageWithRecipients['recipients'][number]

/** What is requested for deferred recipients. */
export interface MailRequest {
  canApply(recipient: TracedRecipient): boolean
  /** Records the request before the decision. @returns false when the recipient was settled in the meantime */
  record(messageId: string, address: string): Promise<boolean>
}

export const retryNow: MailRequest = { canApply: () => true, record: async () => true }

/** Lets mail that keeps a requirement leave with the current connectors. */
export const release = (trace: Pick<Trace, 'recordRelease'>, request: AdministratorRequest): MailRequest => ({
  canApply: ({ keepsRequirement }) => keepsRequirement,
  record: (messageId, address) => trace.recordRelease(messageId, address, request),
})

/** Bounces mail, with a DSN. */
export const returnToSender = (
  trace: Pick<Trace, 'recordReturn'>,
  request: AdministratorRequest,
): MailRequest => ({
  canApply: () => true,
  record: (messageId, address) => trace.recordReturn(messageId, address, request),
})

export type MessageResult =
  /** `recipients`: addresses to which the request applies. */
  | { kind: 'Requested'; recipients: string[] }
  /** The request applies to no recipient; `states` holds the state of each recipient. */
  | { kind: 'NothingWaits'; states: { address: string; state: RecipientState }[] }

/** @returns null when there is no such message */
export async function requestForMessage(
  id: string,
  request: MailRequest,
  dependencies: Dependencies,
): Promise<MessageResult | null> {
  const { history, evaluation, now } = dependencies
  const tracedMessage = await history.messageWithRecipients(id)
  if (!tracedMessage) return null
  const recipients = await recordFor(tracedMessage, request, ({ state }) => state === 'Deferred')
  if (recipients.length === 0) {
    const states = tracedMessage.recipients.map(({ recipient, state }) => ({
      address: recipient.address,
      state,
    }))
    return { kind: 'NothingWaits', states }
  }
  await evaluation.send(decisionJobs(tracedMessage, recipients, now()))
  return { kind: 'Requested', recipients: recipients.map(({ address }) => address) }
}

/** @returns the selected recipients for which the request was recorded */
export async function recordFor(
  { message, recipients }: MessageWithRecipients,
  { canApply, record }: MailRequest,
  isSelected: (recipient: TracedRecipient) => boolean,
): Promise<Recipient[]> {
  const applicable = recipients.filter((recipient) => isSelected(recipient) && canApply(recipient))
  const recorded = await Promise.all(
    applicable.map(async ({ recipient }) =>
      (await record(message.id, recipient.address)) ? [recipient] : [],
    ),
  )
  return recorded.flat()
}

export function decisionJobs(
  { message }: MessageWithRecipients,
  waiting: readonly Recipient[],
  at: number,
): OutgoingJob<EvaluationJob>[] {
  const notBefore = new Date(at).toISOString()
  return splitForJobs(waiting).map((recipients) => ({
    job: { message, recipients, notBefore, retry: true },
  }))
}
