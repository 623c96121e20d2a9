/**
 * "Retry now": requests the next attempt of deferred recipients immediately. This module decides nothing and writes no
 * state. It sends a job to evaluate-policy, like the delayed job that arrives when the backoff ends. deliver-message
 * claims each attempt by its number. So a repeated request or an old trace does no harm: a settled recipient stays
 * settled, and an attempt under way is not repeated. The delayed job that arrives later finds its attempt claimed.
 */
import { hourMs, minuteMs } from '../../shared/contract/durations.ts'
import { type EvaluationJob, splitForJobs } from '../../shared/contract/jobs.ts'
import type {
  History,
  HistoryPosition,
  IndexRow,
  MessageWithRecipients,
} from '../../shared/messages/history.ts'
import type { RecipientState } from '../../shared/messages/trace.ts'
import type { JobSender, OutgoingJob } from '../../shared/queues/job-queue.ts'

export interface Dependencies {
  history: Pick<History, 'find' | 'messageWithRecipients'>
  evaluation: JobSender<EvaluationJob>
  /** Milliseconds since the epoch. */
  now: () => number
}

export type MessageRetry =
  /** `recipients`: addresses whose next attempt is requested. */
  | { kind: 'Requested'; recipients: string[] }
  /** No recipient is deferred; `states` holds the state of each recipient. */
  | { kind: 'NothingDeferred'; states: { address: string; state: RecipientState }[] }

/** @returns null when there is no such message */
export async function retryMessage(id: string, dependencies: Dependencies): Promise<MessageRetry | null> {
  const { history, evaluation, now } = dependencies
  const tracedMessage = await history.messageWithRecipients(id)
  if (!tracedMessage) return null
  const deferred = deferredOf(tracedMessage, () => true)
  if (deferred.length === 0) {
    const states = tracedMessage.recipients.map(({ recipient, state }) => ({
      address: recipient.address,
      state,
    }))
    return { kind: 'NothingDeferred', states }
  }
  await evaluation.send(retryJobs(tracedMessage, deferred, now()))
  return { kind: 'Requested', recipients: deferred.map(({ address }) => address) }
}

export interface ConnectorRetry {
  recipients: number
  messages: number
  /** Position for the next call; null when all were requested. */
  next: HistoryPosition | null
}

/** How far back to search. A deferred message bounces after a day at most; twice that time covers delays. */
const maxDeferralMs = 48 * hourMs
/** Below the function's timeout, so that the batch under way can end. */
const maxRunMs = 8_000
const messagesPerSearch = 200
const messagesPerBatch = 20

/**
 * Requests the next attempt of all deferred recipients that the connector applies to, newest message first. Stops
 * when `maxRunMs` have passed.
 * @param from position where the previous call stopped; null for the first call
 */
export async function retryConnector(
  connector: string,
  from: HistoryPosition | null,
  dependencies: Dependencies,
): Promise<ConnectorRetry> {
  const { history, now } = dependencies
  const startedAt = now()
  // The clock of the ingress that received a message may be ahead of this function's clock.
  const span = { since: new Date(startedAt - maxDeferralMs), until: new Date(startedAt + minuteMs) }
  const isDeferredByConnector = ({ state, connectors }: IndexRow) =>
    state === 'Deferred' && connectors.includes(connector)
  const result: ConnectorRetry = { recipients: 0, messages: 0, next: from }
  do {
    const { positions: found, next: stoppedAt } = await history.find(
      span,
      isDeferredByConnector,
      result.next,
      messagesPerSearch,
    )
    for (let start = 0; start < found.length; start += messagesPerBatch) {
      const batch = found.slice(start, start + messagesPerBatch)
      const recipientCounts = await retryMessages(batch, connector, dependencies)
      result.recipients += recipientCounts.reduce((sum, count) => sum + count, 0)
      result.messages += recipientCounts.filter((count) => count > 0).length
    }
    result.next = stoppedAt
  } while (result.next !== null && now() - startedAt < maxRunMs)
  return result
}

/** @returns the number of requested recipients of each message */
async function retryMessages(
  positions: readonly HistoryPosition[],
  connector: string,
  { history, evaluation, now }: Dependencies,
): Promise<number[]> {
  const tracedMessages = await Promise.all(
    positions.map(({ before }) => history.messageWithRecipients(before)),
  )
  const at = now()
  // The index is eventually consistent, so it only selects the messages to read.
  const retries = tracedMessages
    .filter((tracedMessage) => tracedMessage !== null)
    .map((tracedMessage) => ({
      tracedMessage,
      deferred: deferredOf(tracedMessage, ({ connectors }) => connectors.includes(connector)),
    }))
  await evaluation.send(
    retries.flatMap(({ tracedMessage, deferred }) => retryJobs(tracedMessage, deferred, at)),
  )
  return retries.map(({ deferred }) => deferred.length)
}

type TrackedRecipient = MessageWithRecipients['recipients'][number]

const deferredOf = (
  { recipients }: MessageWithRecipients,
  isSelected: (recipient: TrackedRecipient) => boolean,
) =>
  recipients
    .filter((recipient) => recipient.state === 'Deferred' && isSelected(recipient))
    .map(({ recipient }) => recipient)

function retryJobs(
  { message }: MessageWithRecipients,
  deferred: ReturnType<typeof deferredOf>,
  at: number,
): OutgoingJob<EvaluationJob>[] {
  const notBefore = new Date(at).toISOString()
  return splitForJobs(deferred).map((recipients) => ({
    job: { message, recipients, notBefore, retry: true },
  }))
}
