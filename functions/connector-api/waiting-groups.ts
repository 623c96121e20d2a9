/** Groups deferred recipients by what they wait for. Pure. */
import { decodeTime } from 'ulid'
import type { WaitingFor } from '../../shared/messages/waiting.ts'
import { type WaitingRow, waitingForOf } from '../../shared/messages/waiting-list.ts'

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

interface GroupInProgress extends WaitingGroup {
  ids: Set<string>
  /** By expiry. */
  first: { id: string; expires: string }[]
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
      group.first = [...group.first, { id, expires: wait.givenUpAt }]
        .sort((one, other) => compareText(one.expires, other.expires) || compareText(one.id, other.id))
        .slice(0, maxSamples)
    }
    group.oldest = earlier(group.oldest, new Date(decodeTime(order)).toISOString())
    group.expires = earlier(group.expires, wait.givenUpAt)
    group.nextAttempt = earlier(group.nextAttempt, wait.until)
  }

  /** The group that expires first is the first. */
  sorted(): WaitingGroup[] {
    return [...this.#groups.values()]
      .map(({ ids, first, ...group }) => ({
        ...group,
        messages: ids.size,
        samples: first.map(({ id }) => id),
      }))
      .sort((one, other) => compareText(one.expires, other.expires) || compareText(one.oldest, other.oldest))
  }
}

/** After all times in ISO 8601. */
const latest = '~'

const earlier = (one: string, other: string): string => (one < other ? one : other)

const compareText = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)

const emptyGroup = ({ partner, direction, reason, connector }: WaitingFor): GroupInProgress => ({
  ...{ partner, direction, reason, connector },
  ...{ recipients: 0, messages: 0, octets: 0, samples: [], ids: new Set(), first: [] },
  ...{ oldest: latest, expires: latest, nextAttempt: latest },
})
