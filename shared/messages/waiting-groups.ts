/** Groups deferred recipients by what they wait for. Pure. */
import { decodeTime } from 'ulid'
import type { WaitingFor } from './waiting.ts'
import { type WaitingRow, waitingForOf } from './waiting-list.ts'

/** Times are ISO 8601. */
export interface WaitingGroup extends WaitingFor {
  recipients: number
  messages: number
  octets: number
  /** Time of receipt of the oldest message. */
  oldest: string
  /** When the first recipient bounces. */
  expires: string
  /** When the next decision is due. */
  nextAttempt: string
  /** Ids of the messages that expire first. */
  samples: string[]
}

/** Times are milliseconds since the epoch. */
interface GroupInProgress extends WaitingFor {
  recipients: number
  octets: number
  oldest: number
  expires: number
  nextAttempt: number
  ids: Set<string>
  /** By expiry. */
  first: { id: string; expires: number }[]
}

const maxSamples = 3

export class WaitingGroups {
  readonly #groups = new Map<string, GroupInProgress>()

  add(row: WaitingRow, waitingFor: WaitingFor = waitingForOf(row)): void {
    const { pk: id, order, wait } = row
    const { partner, direction, reason, connector } = waitingFor
    const key = JSON.stringify([partner, direction, reason, connector])
    const group = this.#groups.get(key) ?? emptyGroup(waitingFor)
    this.#groups.set(key, group)
    group.recipients += 1
    if (!group.ids.has(id)) {
      group.ids.add(id)
      group.octets += wait.size
      const isSample = group.first.length < maxSamples || wait.givenUpAt <= (group.first.at(-1)?.expires ?? 0)
      if (isSample) group.first = firstOf([...group.first, { id, expires: wait.givenUpAt }])
      group.oldest = Math.min(group.oldest, decodeTime(order))
    }
    group.expires = Math.min(group.expires, wait.givenUpAt)
    group.nextAttempt = Math.min(group.nextAttempt, wait.until)
  }

  /** The group that expires first is the first. */
  sorted(): WaitingGroup[] {
    return [...this.#groups.values()]
      .sort((one, other) => one.expires - other.expires || one.oldest - other.oldest)
      .map(({ ids, first, oldest, expires, nextAttempt, ...group }) => ({
        ...group,
        messages: ids.size,
        oldest: new Date(oldest).toISOString(),
        expires: new Date(expires).toISOString(),
        nextAttempt: new Date(nextAttempt).toISOString(),
        samples: first.map(({ id }) => id),
      }))
  }
}

/** Messages that expire at the same time are in the order of their ids. */
const firstOf = (samples: GroupInProgress['first']): GroupInProgress['first'] =>
  samples
    .sort((one, other) => one.expires - other.expires || (one.id < other.id ? -1 : 1))
    .slice(0, maxSamples)

const emptyGroup = ({ partner, direction, reason, connector }: WaitingFor): GroupInProgress => ({
  ...{ partner, direction, reason, connector },
  ...{ recipients: 0, octets: 0, ids: new Set(), first: [] },
  ...{ oldest: Infinity, expires: Infinity, nextAttempt: Infinity },
})
