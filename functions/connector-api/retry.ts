/**
 * "Retry now": requests the next attempt of deferred recipients at once. Nothing is decided here and no state is
 * written. A job goes to evaluate-policy, as when the backoff ends, and the attempt that follows is claimed by its
 * number. So a repeated request or an old trace does no harm: a settled recipient stays settled, and an attempt under
 * way is not repeated. The timer that comes later finds its attempt claimed.
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
  /** Addresses of the recipients. */
  | { kind: 'Requested'; recipients: string[] }
  /** No recipient is deferred; holds the state of each recipient. */
  | { kind: 'NothingDeferred'; states: { address: string; state: RecipientState }[] }

/** @returns null when there is no such message */
export async function retryMessage(id: string, dependencies: Dependencies): Promise<MessageRetry | null> {
  const { history, evaluation, now } = dependencies
  const undertaking = await history.messageWithRecipients(id)
  if (!undertaking) return null
  const deferred = deferredOf(undertaking, () => true)
  if (deferred.length === 0) {
    const states = undertaking.recipients.map(({ recipient, state }) => ({
      address: recipient.address,
      state,
    }))
    return { kind: 'NothingDeferred', states }
  }
  await evaluation.send(retryJobs(undertaking, deferred, now()))
  return { kind: 'Requested', recipients: deferred.map(({ address }) => address) }
}

export interface ConnectorRetry {
  recipients: number
  messages: number
  /** Position for the next call; null when all were requested. */
  next: HistoryPosition | null
}

/** A message expires after a day at most; twice that covers delays. */
const maxDeferralMs = 48 * hourMs
/** Below the function's timeout, so that the batch under way can end. */
const maxRunMs = 8_000
const messagesPerSearch = 200
const messagesPerBatch = 20

/**
 * Requests the next attempt of all deferred recipients that the connector applies to, newest message first, as long
 * as time permits.
 * @param from position where the previous call stopped, null for the first
 */
export async function retryConnector(
  connector: string,
  from: HistoryPosition | null,
  dependencies: Dependencies,
): Promise<ConnectorRetry> {
  const { history, now } = dependencies
  const startedAt = now()
  // The clock of the ingress that received a message may run ahead of this one.
  const span = { since: new Date(startedAt - maxDeferralMs), until: new Date(startedAt + minuteMs) }
  const isDeferredByConnector = ({ state, connectors }: IndexRow) =>
    state === 'Deferred' && connectors.includes(connector)
  const retried: ConnectorRetry = { recipients: 0, messages: 0, next: from }
  do {
    const { found, stoppedAt } = await history.find(
      span,
      isDeferredByConnector,
      retried.next,
      messagesPerSearch,
    )
    for (let start = 0; start < found.length; start += messagesPerBatch) {
      const batch = found.slice(start, start + messagesPerBatch)
      const requested = await retryMessages(batch, connector, dependencies)
      retried.recipients += requested.reduce((sum, recipients) => sum + recipients, 0)
      retried.messages += requested.filter((recipients) => recipients > 0).length
    }
    retried.next = stoppedAt
  } while (retried.next !== null && now() - startedAt < maxRunMs)
  return retried
}

/** @returns the number of requested recipients of each message */
async function retryMessages(
  found: readonly HistoryPosition[],
  connector: string,
  { history, evaluation, now }: Dependencies,
): Promise<number[]> {
  const undertakings = await Promise.all(found.map(({ before }) => history.messageWithRecipients(before)))
  const at = now()
  // The index is eventually consistent: it says only which messages to read.
  const retries = undertakings
    .filter((undertaking) => undertaking !== null)
    .map((undertaking) => ({
      undertaking,
      deferred: deferredOf(undertaking, ({ connectors }) => connectors.includes(connector)),
    }))
  await evaluation.send(retries.flatMap(({ undertaking, deferred }) => retryJobs(undertaking, deferred, at)))
  return retries.map(({ deferred }) => deferred.length)
}

type TrackedRecipient = MessageWithRecipients['recipients'][number]

const deferredOf = (
  { recipients }: MessageWithRecipients,
  isSelected: (tracked: TrackedRecipient) => boolean,
) =>
  recipients
    .filter((tracked) => tracked.state === 'Deferred' && isSelected(tracked))
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
