/** Requests for all waiting mail of a connector, or of the gateway. The search is limited in time and continues later. */
import { dayMs, hourMs, minuteMs } from '../../shared/contract/durations.ts'
import type { HistoryPosition, Search } from '../../shared/messages/history.ts'
import type { RecipientState } from '../../shared/messages/recipient-item.ts'
import {
  type Dependencies,
  decisionJobs,
  type MailRequest,
  recordFor,
  retryNow,
  type TracedRecipient,
} from './waiting-mail.ts'

/** The connector of the recipients' last decision. An outbound connector may have been deleted since. */
export interface DecidingConnector {
  direction: 'inbound' | 'outbound'
  id: string
}

export interface RequestedMail {
  recipients: number
  messages: number
  /** Position for the next call; null when all mail was found. */
  next: HistoryPosition | null
}

/** Which messages to search, and for which of their recipients to request. */
interface MailSelection {
  /** How far back to search. */
  maxAgeMs: number
  matchesRow: Search['matches']
  states: readonly RecipientState[]
  matches(recipient: TracedRecipient): boolean
}

/** A deferred message bounces after a day at most; twice that time covers delays. */
const maxDeferralMs = 48 * hourMs

const mailOfConnector = ({ direction, id }: DecidingConnector): MailSelection => ({
  maxAgeMs: maxDeferralMs,
  matchesRow: ({ connectors }) => connectors.includes(id),
  states: ['Deferred'],
  matches: ({ state, connectors }) => state === 'Deferred' && connectors[direction] === id,
})

/**
 * All mail of which the trace knows that it is neither delivered nor bounced. A message of a lost queue may be older
 * than a day; its content is stored for at least 14 days (`contentRetentionDays`).
 */
const allMail: MailSelection = {
  maxAgeMs: 14 * dayMs,
  matchesRow: () => true,
  states: ['Deferred', 'Pending'],
  matches: ({ state }) => state === 'Deferred' || state === 'Pending',
}

/** Below the function's timeout, so that the batch under way can end. */
const maxRunMs = 8_000
const messagesPerSearch = 200
const messagesPerBatch = 20

/**
 * Requests a decision about all deferred recipients that the connector applies to, newest message first. Stops when
 * `maxRunMs` have passed.
 * @param from position where the previous call stopped; null for the first call
 */
export const requestForConnector = (
  connector: DecidingConnector,
  from: HistoryPosition | null,
  request: MailRequest,
  dependencies: Dependencies,
): Promise<RequestedMail> => requestForSelection(mailOfConnector(connector), from, request, dependencies)

/**
 * Requests a decision about all recipients that are deferred or pending, like `requestForConnector`. The jobs of pending
 * recipients may be lost with their queues. If they are not, the claim of the next attempt makes it happen once.
 */
export const retryAll = (from: HistoryPosition | null, dependencies: Dependencies): Promise<RequestedMail> =>
  requestForSelection(allMail, from, retryNow, dependencies)

async function requestForSelection(
  selection: MailSelection,
  from: HistoryPosition | null,
  request: MailRequest,
  dependencies: Dependencies,
): Promise<RequestedMail> {
  const result: RequestedMail = { recipients: 0, messages: 0, next: from }
  result.next = await forEachMatching(selection, from, dependencies, async (ids) => {
    const recipientCounts = await requestForMessages(ids, selection, request, dependencies)
    result.recipients += recipientCounts.reduce((sum, count) => sum + count, 0)
    result.messages += recipientCounts.filter((count) => count > 0).length
  })
  return result
}

/**
 * Counts the messages with a deferred recipient that the connector applies to. The index may be a moment old.
 * @returns `isComplete` is false when the search stopped after `maxRunMs`
 */
export async function countWaiting(
  connector: DecidingConnector,
  dependencies: Dependencies,
): Promise<{ messages: number; isComplete: boolean }> {
  let messages = 0
  const next = await forEachMatching(mailOfConnector(connector), null, dependencies, async (ids) => {
    messages += ids.length
  })
  return { messages, isComplete: next === null }
}

/**
 * @param handle handles at most `messagesPerBatch` messages; the time is checked after each batch, because messages may
 * have many recipients
 * @returns the position where the search stopped; null at its end
 */
async function forEachMatching(
  { maxAgeMs, matchesRow, states }: MailSelection,
  from: HistoryPosition | null,
  { history, now }: Dependencies,
  handle: (ids: readonly string[]) => Promise<void>,
): Promise<HistoryPosition | null> {
  const startedAt = now()
  // The clock of the ingress that received a message may be ahead of this function's clock.
  const span = { since: new Date(startedAt - maxAgeMs), until: new Date(startedAt + minuteMs) }
  const search = { ...span, matches: matchesRow, states }
  const isOver = () => now() - startedAt >= maxRunMs
  let next = from
  do {
    const { messages, next: end } = await history.find(search, next, messagesPerSearch)
    for (let start = 0; start < messages.length; start += messagesPerBatch) {
      const batch = messages.slice(start, start + messagesPerBatch)
      await handle(batch.map(({ id }) => id))
      const isLast = start + batch.length === messages.length
      if (!isLast && isOver()) return batch.at(-1)?.position ?? end
    }
    next = end
  } while (next !== null && !isOver())
  return next
}

/** @returns the number of recipients of each message to which the request applies */
async function requestForMessages(
  ids: readonly string[],
  { matches }: MailSelection,
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
        recipients: await recordFor(tracedMessage, request, matches),
      })),
  )
  await evaluation.send(
    requested.flatMap(({ tracedMessage, recipients }) => decisionJobs(tracedMessage, recipients, at)),
  )
  return requested.map(({ recipients }) => recipients.length)
}
