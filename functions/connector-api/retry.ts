/**
 * "Retry now": asks for the next attempt at deferred recipients without waiting for its time. Nothing is decided
 * here and no state is written. A job goes to evaluate-policy, as when a timer comes, and stands among the jobs of
 * its recipient by attempt and time; the attempt that follows is claimed by its number. So it does not matter how
 * often an administrator asks, nor what has happened since the trace was read: what is settled stays settled, an
 * attempt that somebody has begun is not made again, and the timer that comes later finds itself overtaken.
 */
import { hourMs, minuteMs } from '../../shared/contract/durations.ts'
import { type EvaluationJob, inParts } from '../../shared/contract/jobs.ts'
import type { History, HistoryPosition, IndexRow, Undertaking } from '../../shared/messages/history.ts'
import type { RecipientState } from '../../shared/messages/trace.ts'
import type { Outgoing, Sender } from '../../shared/queues/job-queue.ts'

export interface Dependencies {
  history: Pick<History, 'find' | 'undertaking'>
  evaluation: Sender<EvaluationJob>
  /** Milliseconds since the epoch. */
  now: () => number
}

export type MessageRetry =
  /** By address. */
  | { kind: 'Requested'; recipients: string[] }
  /** Nobody waits for an attempt: how far each has come instead. */
  | { kind: 'NothingDeferred'; states: { address: string; state: RecipientState }[] }

/** @returns null when there is no such message */
export async function retryMessage(id: string, dependencies: Dependencies): Promise<MessageRetry | null> {
  const { history, evaluation, now } = dependencies
  const undertaking = await history.undertaking(id)
  if (!undertaking) return null
  const deferred = deferredOf(undertaking, () => true)
  if (deferred.length === 0) {
    const states = undertaking.recipients.map(({ recipient, state }) => ({
      address: recipient.address,
      state,
    }))
    return { kind: 'NothingDeferred', states }
  }
  await evaluation.send(jobs(undertaking, deferred, now()))
  return { kind: 'Requested', recipients: deferred.map(({ address }) => address) }
}

export interface ConnectorRetry {
  recipients: number
  messages: number
  /** Where to go on, null when all have been asked for. */
  next: HistoryPosition | null
}

/** Mail is given up after a day at the latest; twice as long, for what comes late to its end. */
const longestWaitMs = 48 * hourMs
/** Leaves the function time to end what it has begun. */
const workMs = 8_000
const messagesPerSearch = 200
const messagesAtOnce = 20

/**
 * Asks for all deferred recipients that the connector took part in, newest message first, as far as the time goes.
 * @param from where the call before stopped, null for the first
 */
export async function retryConnector(
  connector: string,
  from: HistoryPosition | null,
  dependencies: Dependencies,
): Promise<ConnectorRetry> {
  const { history, now } = dependencies
  const begun = now()
  // Somebody who receives a message may have a clock that runs ahead of ours.
  const span = { since: new Date(begun - longestWaitMs), until: new Date(begun + minuteMs) }
  const isHeld = ({ state, connectors }: IndexRow) => state === 'Deferred' && connectors.includes(connector)
  const retried: ConnectorRetry = { recipients: 0, messages: 0, next: from }
  do {
    const { found, stoppedAt } = await history.find(span, isHeld, retried.next, messagesPerSearch)
    for (let start = 0; start < found.length; start += messagesAtOnce) {
      const some = found.slice(start, start + messagesAtOnce)
      const requested = await retryAll(some, connector, dependencies)
      retried.recipients += requested.reduce((sum, recipients) => sum + recipients, 0)
      retried.messages += requested.filter((recipients) => recipients > 0).length
    }
    retried.next = stoppedAt
  } while (retried.next !== null && now() - begun < workMs)
  return retried
}

/** @returns the number of recipients asked for, of each message */
async function retryAll(
  found: readonly HistoryPosition[],
  connector: string,
  { history, evaluation, now }: Dependencies,
): Promise<number[]> {
  const undertakings = await Promise.all(found.map(({ before }) => history.undertaking(before)))
  const at = now()
  // The index follows the table: what it says is where to look, and no more.
  const retries = undertakings
    .filter((undertaking) => undertaking !== null)
    .map((undertaking) => ({
      undertaking,
      deferred: deferredOf(undertaking, ({ connectors }) => connectors.includes(connector)),
    }))
  await evaluation.send(retries.flatMap(({ undertaking, deferred }) => jobs(undertaking, deferred, at)))
  return retries.map(({ deferred }) => deferred.length)
}

type Taken = Undertaking['recipients'][number]

const deferredOf = ({ recipients }: Undertaking, concerns: (taken: Taken) => boolean) =>
  recipients
    .filter((taken) => taken.state === 'Deferred' && concerns(taken))
    .map(({ recipient }) => recipient)

function jobs(
  { message }: Undertaking,
  deferred: ReturnType<typeof deferredOf>,
  at: number,
): Outgoing<EvaluationJob>[] {
  const notBefore = new Date(at).toISOString()
  return inParts(deferred).map((recipients) => ({ job: { message, recipients, notBefore, retry: true } }))
}
