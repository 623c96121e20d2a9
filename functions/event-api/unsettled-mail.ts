/** Finds the mail of an address that is neither delivered nor bounced, in the index of the messages table. */
import { dayMs, minuteMs } from '../../shared/contract/durations.ts'
import type { ErasedAddress } from '../../shared/mail/erased-address.ts'
import type { History, HistoryPosition } from '../../shared/messages/history.ts'
import { recipientOf } from '../../shared/messages/message-keys.ts'

export interface FoundMail {
  count: number
  /** Ids of the first. */
  ids: string[]
  /** Whether the time sufficed. What is not found here, erase-address finds, and does not touch. */
  isComplete: boolean
}

/** A message of a lost queue may be older than the day of a deferral. */
const maxAgeMs = 14 * dayMs
/** Less than the function's timeout. */
const maxRunMs = 10_000
const messagesPerSearch = 200
const maxIds = 5

export class UnsettledMail {
  readonly #history: Pick<History, 'find'>
  readonly #now: () => number

  /** @param now milliseconds since the epoch */
  constructor(history: Pick<History, 'find'>, now: () => number) {
    this.#history = history
    this.#now = now
  }

  async find(address: ErasedAddress): Promise<FoundMail> {
    const startedAt = this.#now()
    const search = {
      since: new Date(startedAt - maxAgeMs),
      // The clock of an ingress may be ahead.
      until: new Date(startedAt + minuteMs),
      states: ['Pending', 'Deferred'] as const,
      matches: (row: { sender: string; sk: string }) =>
        address.isSpelled(row.sender) || address.isSpelled(recipientOf(row)),
    }
    const found: FoundMail = { count: 0, ids: [], isComplete: false }
    let next: HistoryPosition | null = null
    do {
      const { messages, next: end } = await this.#history.find(search, next, messagesPerSearch)
      found.count += messages.length
      found.ids.push(...messages.slice(0, maxIds - found.ids.length).map(({ id }) => id))
      next = end
    } while (next !== null && this.#now() - startedAt < maxRunMs)
    return { ...found, isComplete: next === null }
  }
}
