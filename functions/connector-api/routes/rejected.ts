/** `/messages?state=Rejected`: sessions, senders, recipients and messages that were refused in the session. */
import * as z from 'zod'
import { MailEvent } from '../../../shared/contract/events.ts'
import { rejectedRow } from '../../../shared/event-queries/message-columns.ts'
import { listOf } from '../../../shared/http-api/lists.ts'
import { cursorSchema } from '../../../shared/http-api/request.ts'
import type { HistoryPosition } from '../../../shared/messages/history.ts'
import type {
  RejectedFilter,
  RejectedList,
  RejectedPosition,
} from '../../../shared/messages/rejected-list.ts'

/** The columns of an event. Columns of a later version are passed on. */
export const RejectedEvent = z
  .looseObject({ ...MailEvent.shape, kind: z.literal('Rejected') })
  .describe('an event with its columns; see docs/generated/events.md')

export const RejectedEventList = listOf(RejectedEvent)

/** The name of the state in the query. A rejected message has no entry in the trace. */
export const rejectedState = 'Rejected'

export const rejectedCursor = cursorSchema(
  z.strictObject({ day: z.iso.date(), before: z.string().regex(/^[0-9A-Z]{10}#[\w-]{1,100}$/) }),
)

/** A page of messages or refusals. */
export interface MessagePage {
  items: readonly unknown[]
  /** Returns the same as rows of CSV. */
  rows(): Record<string, string | number | boolean | null>[]
  next: HistoryPosition | RejectedPosition | null
}

export async function rejectedPage(
  list: Pick<RejectedList, 'page'>,
  filter: RejectedFilter,
  from: RejectedPosition | null,
  limit: number,
): Promise<MessagePage> {
  const { events, next } = await list.page(filter, from, limit)
  return { items: events, rows: () => events.map(rejectedRow), next }
}
