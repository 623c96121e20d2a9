/**
 * An administrator's requests for deferred mail: retry it now, release it to the current connectors, or return it to
 * its sender. This module decides nothing. It records a release or a return in the trace, and sends a job to
 * evaluate-policy, like the delayed job that arrives when the backoff ends. deliver-message claims each attempt by its
 * number. So a repeated request or an old trace does no harm: a settled recipient stays settled, and an attempt under
 * way is not repeated. The delayed job that arrives later finds its attempt claimed.
 */
import { hourMs, minuteMs } from '../../shared/contract/durations.ts'
import { type EvaluationJob, splitForJobs } from '../../shared/contract/jobs.ts'
import type { Recipient } from '../../shared/contract/message.ts'
import type {
  History,
  HistoryPosition,
  IndexRow,
  MessageWithRecipients,
} from '../../shared/messages/history.ts'
import type { AdministratorRequest, RecipientState, Trace } from '../../shared/messages/trace.ts'
import type { JobSender, OutgoingJob } from '../../shared/queues/job-queue.ts'

export interface Dependencies {
  history: Pick<History, 'find' | 'messageWithRecipients'>
  evaluation: JobSender<EvaluationJob>
  /** Milliseconds since the epoch. */
  now: () => number
}

type TracedRecipient = MessageWithRecipients['recipients'][number]

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
  const recipients = await recordFor(tracedMessage, request, () => true)
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

/** The connector of the recipients' last decision. An outbound connector may have been deleted since. */
export interface DecidingConnector {
  direction: 'inbound' | 'outbound'
  id: string
}

export interface ConnectorResult {
  recipients: number
  messages: number
  /** Position for the next call; null when all mail was found. */
  next: HistoryPosition | null
}

/** How far back to search. A deferred message bounces after a day at most; twice that time covers delays. */
const maxDeferralMs = 48 * hourMs
/** Below the function's timeout, so that the batch under way can end. */
const maxRunMs = 8_000
const messagesPerSearch = 200
const messagesPerBatch = 20

/**
 * Requests a decision about all deferred recipients that the connector applies to, newest message first. Stops when
 * `maxRunMs` have passed.
 * @param from position where the previous call stopped; null for the first call
 */
export async function requestForConnector(
  connector: DecidingConnector,
  from: HistoryPosition | null,
  request: MailRequest,
  dependencies: Dependencies,
): Promise<ConnectorResult> {
  const result: ConnectorResult = { recipients: 0, messages: 0, next: from }
  result.next = await forEachWaiting(connector.id, from, dependencies, async (ids) => {
    for (let start = 0; start < ids.length; start += messagesPerBatch) {
      const batch = ids.slice(start, start + messagesPerBatch)
      const recipientCounts = await requestForMessages(batch, connector, request, dependencies)
      result.recipients += recipientCounts.reduce((sum, count) => sum + count, 0)
      result.messages += recipientCounts.filter((count) => count > 0).length
    }
  })
  return result
}

/**
 * Counts the messages with a deferred recipient that the connector applies to. The index may be a moment old.
 * @returns `isComplete` is false when the search stopped after `maxRunMs`
 */
export async function countWaiting(
  connector: string,
  dependencies: Dependencies,
): Promise<{ messages: number; isComplete: boolean }> {
  let messages = 0
  const next = await forEachWaiting(connector, null, dependencies, async (ids) => {
    messages += ids.length
  })
  return { messages, isComplete: next === null }
}

/** @returns the position where the search stopped; null at its end */
async function forEachWaiting(
  connector: string,
  from: HistoryPosition | null,
  { history, now }: Dependencies,
  handle: (ids: readonly string[]) => Promise<void>,
): Promise<HistoryPosition | null> {
  const startedAt = now()
  // The clock of the ingress that received a message may be ahead of this function's clock.
  const span = { since: new Date(startedAt - maxDeferralMs), until: new Date(startedAt + minuteMs) }
  const isDeferredByConnector = ({ state, connectors }: IndexRow) =>
    state === 'Deferred' && connectors.includes(connector)
  let next = from
  do {
    const search = await history.find(span, isDeferredByConnector, next, messagesPerSearch)
    await handle(search.messages.map(({ id }) => id))
    next = search.next
  } while (next !== null && now() - startedAt < maxRunMs)
  return next
}

/** @returns the number of recipients of each message to which the request applies */
async function requestForMessages(
  ids: readonly string[],
  { direction, id }: DecidingConnector,
  request: MailRequest,
  { history, evaluation, now }: Dependencies,
): Promise<number[]> {
  const tracedMessages = await Promise.all(ids.map((id) => history.messageWithRecipients(id)))
  const at = now()
  // The index is eventually consistent, so it only selects the messages to read.
  const requested = await Promise.all(
    tracedMessages
      .filter((tracedMessage) => tracedMessage !== null)
      .map(async (tracedMessage) => ({
        tracedMessage,
        recipients: await recordFor(tracedMessage, request, ({ connectors }) => connectors[direction] === id),
      })),
  )
  await evaluation.send(
    requested.flatMap(({ tracedMessage, recipients }) => decisionJobs(tracedMessage, recipients, at)),
  )
  return requested.map(({ recipients }) => recipients.length)
}

/** @returns the deferred recipients for which the request was recorded */
async function recordFor(
  { message, recipients }: MessageWithRecipients,
  { canApply, record }: MailRequest,
  isSelected: (recipient: TracedRecipient) => boolean,
): Promise<Recipient[]> {
  const applicable = recipients.filter(
    (recipient) => recipient.state === 'Deferred' && isSelected(recipient) && canApply(recipient),
  )
  const recorded = await Promise.all(
    applicable.map(async ({ recipient }) =>
      (await record(message.id, recipient.address)) ? [recipient] : [],
    ),
  )
  return recorded.flat()
}

function decisionJobs(
  { message }: MessageWithRecipients,
  deferred: readonly Recipient[],
  at: number,
): OutgoingJob<EvaluationJob>[] {
  const notBefore = new Date(at).toISOString()
  return splitForJobs(deferred).map((recipients) => ({
    job: { message, recipients, notBefore, retry: true },
  }))
}
