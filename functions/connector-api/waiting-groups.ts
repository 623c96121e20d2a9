/** Groups deferred recipients by what they wait for. Pure. */
import { decodeTime } from 'ulid'
import type { WaitingFor } from '../../shared/messages/waiting.ts'
import { type WaitingRow, waitingForOf } from '../../shared/messages/waiting-list.ts'

/** Times are milliseconds since the epoch. */
export interface WaitingGroup extends WaitingFor {
  recipients: number
  messages: number
  octets: number
  /** Time of receipt of the oldest message. */
  oldest: number
  /** When the first recipient bounces. */
  expires: number
  /** When the next decision is due. */
  next: number
  /** Ids of the messages that expire first. */
  samples: string[]
}

interface GroupInProgress extends WaitingGroup {
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
      group.first = [...group.first, { id, expires: wait.expires }]
        .sort((one, other) => one.expires - other.expires || (one.id < other.id ? -1 : 1))
        .slice(0, maxSamples)
    }
    group.oldest = Math.min(group.oldest, decodeTime(order))
    group.expires = Math.min(group.expires, wait.expires)
    group.next = Math.min(group.next, wait.next)
  }

  /** The group that expires first is the first. */
  sorted(): WaitingGroup[] {
    return [...this.#groups.values()]
      .map(({ ids, first, ...group }) => ({
        ...group,
        messages: ids.size,
        samples: first.map(({ id }) => id),
      }))
      .sort((one, other) => one.expires - other.expires || one.oldest - other.oldest)
  }
}

const emptyGroup = ({ partner, direction, reason, connector }: WaitingFor): GroupInProgress => ({
  ...{ partner, direction, reason, connector },
  ...{ recipients: 0, messages: 0, octets: 0, samples: [], ids: new Set(), first: [] },
  ...{ oldest: Infinity, expires: Infinity, next: Infinity },
})
