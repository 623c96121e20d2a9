/** Requests for much waiting mail: of a filter, of ids, of a connector, or all. They are limited in time and continue later. */
import { dayMs, minuteMs } from '../../shared/contract/durations.ts'
import type { Message } from '../../shared/contract/message.ts'
import type { HistoryPosition } from '../../shared/messages/history.ts'
import type { MatchingMessages } from '../../shared/messages/matching-messages.ts'
import { decidingConnector, partnerOf, type WaitingFor } from '../../shared/messages/waiting.ts'
import {
  type WaitingList,
  type WaitingPosition,
  type WaitingRow,
  waitingForOf,
} from '../../shared/messages/waiting-list.ts'
import {
  type Dependencies,
  isDeferred,
  type MailRequest,
  requestForRecipients,
  type TracedRecipient,
  whyNotApplicable,
} from './waiting-mail.ts'

export interface SelectionDependencies extends Dependencies {
  waiting: Pick<WaitingList, 'find'>
}

/** The connector of the recipients' last decision. An outbound connector may have been deleted since. */
export interface DecidingConnector {
  direction: 'inbound' | 'outbound'
  id: string
}

/** Selects mail without a partner or without a connector. No top-level domain and no id is this word. */
export const noneValue = 'none'

/** Mail matches if it has each given value. */
export type WaitingFilter = { [Field in keyof WaitingFor]?: NonNullable<WaitingFor[Field]> | undefined }

export interface RequestedMail<Position> {
  recipients: number
  messages: number
  /** Ids of messages to which the request does not apply, and why. */
  skipped: { id: string; why: string }[]
  /** Position for the next call; null when all mail was found. */
  next: Position | null
}

/** Which messages to search, and for which of their recipients to request. */
interface MailSelection<Position> {
  find(from: Position | null, limit: number): Promise<MatchingMessages<Position>>
  matches(recipient: TracedRecipient, message: Message): boolean
}

const fromIndex = (
  matchesRow: (row: WaitingRow) => boolean,
  matches: MailSelection<WaitingPosition>['matches'],
  { waiting }: Pick<SelectionDependencies, 'waiting'>,
): MailSelection<WaitingPosition> => ({
  find: (from, limit) => waiting.find(matchesRow, from, limit),
  matches: (recipient, message) => isDeferred(recipient) && matches(recipient, message),
})

const mailOfConnector = (
  { direction, id }: DecidingConnector,
  dependencies: Pick<SelectionDependencies, 'waiting'>,
): MailSelection<WaitingPosition> =>
  fromIndex(
    (row) => row.connectors.includes(id),
    ({ connectors }) => connectors[direction] === id,
    dependencies,
  )

export const matchesFilter = (filter: WaitingFilter, waitingFor: WaitingFor): boolean =>
  (['partner', 'direction', 'reason', 'connector'] as const).every(
    (field) =>
      filter[field] === undefined ||
      (filter[field] === noneValue ? waitingFor[field] === null : filter[field] === waitingFor[field]),
  )

const mailOfFilter = (
  filter: WaitingFilter,
  dependencies: Pick<SelectionDependencies, 'waiting'>,
): MailSelection<WaitingPosition> =>
  fromIndex(
    (row) => matchesFilter(filter, waitingForOf(row)),
    (recipient, { direction, envelope }) =>
      matchesFilter(filter, {
        partner: partnerOf(envelope.mailFrom, recipient.recipient.address, recipient.reason),
        direction,
        reason: recipient.reason,
        connector: decidingConnector(recipient),
      }),
    dependencies,
  )

/**
 * All mail of which the trace knows that it is neither delivered nor bounced. A message of a lost queue may be older
 * than a day; its content is stored for at least 14 days (`contentRetentionDays`).
 */
function allMail({ history, now }: Dependencies): MailSelection<HistoryPosition> {
  const states = ['Deferred', 'Pending'] as const
  const at = now()
  // The clock of the ingress that received a message may be ahead of this function's clock.
  const span = { since: new Date(at - 14 * dayMs), until: new Date(at + minuteMs) }
  return {
    find: (from, limit) => history.find({ ...span, matches: () => true, states }, from, limit),
    matches: ({ state }) => state === 'Deferred' || state === 'Pending',
  }
}

/** Number of ids that were handled. */
export interface IdsPosition {
  ids: number
}

const mailOfIds = (ids: readonly string[]): MailSelection<IdsPosition> => ({
  async find(from, limit) {
    const start = from?.ids ?? 0
    const end = Math.min(start + limit, ids.length)
    const messages = ids.slice(start, end).map((id, index) => ({ id, position: { ids: start + index + 1 } }))
    return { messages, next: end < ids.length ? { ids: end } : null }
  },
  matches: isDeferred,
})

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
  from: WaitingPosition | null,
  request: MailRequest,
  dependencies: SelectionDependencies,
): Promise<RequestedMail<WaitingPosition>> =>
  requestForSelection(mailOfConnector(connector, dependencies), from, request, dependencies)

/** Requests a decision about all deferred recipients that match, like `requestForConnector`. */
export const requestForFilter = (
  filter: WaitingFilter,
  from: WaitingPosition | null,
  request: MailRequest,
  dependencies: SelectionDependencies,
): Promise<RequestedMail<WaitingPosition>> =>
  requestForSelection(mailOfFilter(filter, dependencies), from, request, dependencies)

/** Requests a decision about the deferred recipients of these messages, like `requestForConnector`. */
export const requestForIds = (
  ids: readonly string[],
  from: IdsPosition | null,
  request: MailRequest,
  dependencies: Dependencies,
): Promise<RequestedMail<IdsPosition>> => requestForSelection(mailOfIds(ids), from, request, dependencies)

/**
 * Requests a decision about all recipients that are deferred or pending, like `requestForConnector`. The jobs of pending
 * recipients may be lost with their queues. If they are not, the claim of the next attempt makes it happen once.
 */
export const retryAll = (
  from: HistoryPosition | null,
  request: MailRequest,
  dependencies: Dependencies,
): Promise<RequestedMail<HistoryPosition>> =>
  requestForSelection(allMail(dependencies), from, request, dependencies)

async function requestForSelection<Position>(
  selection: MailSelection<Position>,
  from: Position | null,
  request: MailRequest,
  dependencies: Dependencies,
): Promise<RequestedMail<Position>> {
  const result: RequestedMail<Position> = { recipients: 0, messages: 0, skipped: [], next: from }
  result.next = await forEachMatching(selection, from, dependencies, async (ids) => {
    for (const { id, recipients, why } of await requestForMessages(ids, selection, request, dependencies)) {
      result.recipients += recipients
      if (recipients > 0) result.messages += 1
      else result.skipped.push({ id, why })
    }
  })
  return result
}

/**
 * Counts the messages with a deferred recipient that the connector applies to. The index may be a moment old.
 * @returns `isComplete` is false when the search stopped after `maxRunMs`
 */
export async function countWaiting(
  connector: DecidingConnector,
  dependencies: SelectionDependencies,
): Promise<{ messages: number; isComplete: boolean }> {
  let messages = 0
  const selection = mailOfConnector(connector, dependencies)
  const next = await forEachMatching(selection, null, dependencies, async (ids) => {
    messages += ids.length
  })
  return { messages, isComplete: next === null }
}

/**
 * @param handle handles at most `messagesPerBatch` messages; the time is checked after each batch, because messages may
 * have many recipients
 * @returns the position where the search stopped; null at its end
 */
async function forEachMatching<Position>(
  { find }: MailSelection<Position>,
  from: Position | null,
  { now }: Pick<Dependencies, 'now'>,
  handle: (ids: readonly string[]) => Promise<void>,
): Promise<Position | null> {
  const startedAt = now()
  const isOver = () => now() - startedAt >= maxRunMs
  let next = from
  do {
    const { messages, next: end } = await find(next, messagesPerSearch)
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

/** @returns the number of recipients of each message to which the request applies; `why` there may be none */
async function requestForMessages<Position>(
  ids: readonly string[],
  { matches }: MailSelection<Position>,
  request: MailRequest,
  dependencies: Dependencies,
): Promise<{ id: string; recipients: number; why: string }[]> {
  const messages = await Promise.all(ids.map((id) => dependencies.history.messageWithRecipients(id)))
  // The index is eventually consistent, so it only selects the messages to read.
  const existing = messages.filter((message) => message !== null)
  const requested = await requestForRecipients(existing, request, matches, dependencies)
  const counts = new Map(existing.map(({ message }, index) => [message.id, requested[index]?.length ?? 0]))
  return ids.map((id, index) => ({
    id,
    recipients: counts.get(id) ?? 0,
    why: whyNotApplicable(request, messages[index] ?? null),
  }))
}
