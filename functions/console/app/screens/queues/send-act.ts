/** Requests an act on all mail of some filters. One request covers as many messages as its time allows. */
import type { RequestedQueues } from '../../api/types.ts'
import type { QueueAct, QueueFilter } from './acts.ts'

export interface ActResult {
  recipients: number
  messages: number
  skipped: RequestedQueues['skipped']
}

export const emptyResult: ActResult = { recipients: 0, messages: 0, skipped: [] }

/** The part of the API's client that acts need. */
export interface ActSender {
  send(method: 'POST', path: string, body: unknown): Promise<RequestedQueues>
}

interface ActRequest {
  act: QueueAct
  filters: readonly Partial<QueueFilter>[]
  /** Empty: none. */
  reason: string
}

/**
 * @param onProgress gets the sums after each request
 * @param signal ends it after the request under way
 * @throws ApiError; what was requested before it stays requested
 */
export async function sendAct(
  api: ActSender,
  { act, filters, reason }: ActRequest,
  onProgress: (result: ActResult) => void,
  signal: AbortSignal,
): Promise<void> {
  let sum = emptyResult
  for (const filter of filters) {
    let cursor: string | null = null
    do {
      if (signal.aborted) return
      const query: string = cursor === null ? '' : `?${new URLSearchParams({ cursor })}`
      const answer: RequestedQueues = await api.send('POST', `/queues/${act}${query}`, {
        filter,
        ...(reason !== '' && { reason }),
      })
      sum = {
        recipients: sum.recipients + answer.requested,
        messages: sum.messages + answer.messages,
        skipped: [...sum.skipped, ...answer.skipped],
      }
      onProgress(sum)
      cursor = answer.nextCursor
    } while (cursor !== null)
  }
}
