/** What a deferred recipient waits for. Pure. */
import { maxEventShards, shardOfMessage } from '../contract/events.ts'
import type { Message } from '../contract/message.ts'
import { domainOf } from '../mail/address.ts'
import type { Defer, Verdict } from '../policy/evaluate.ts'
import { isViolationReason } from '../policy/reasons.ts'
import { packDetail } from './packed-detail.ts'

/** The attribute `wait` of a deferred recipient, for the index `byWaiting`. Times are ISO 8601. */
export interface Wait {
  /** Octets of the message. */
  size: number
  direction: Message['direction']
  reason: string
  /** When the next decision is due. */
  until: string
  /** When it bounces. */
  givenUpAt: string
  /** Id of the connector that decided; null when none did. */
  connector: string | null
}

/** What mail is grouped and selected by. */
export interface WaitingFor {
  /** The sender's domain if an inbound connector holds the mail, otherwise the recipient's. Null if it has none. */
  partner: string | null
  direction: Message['direction']
  reason: string
  /** Id of the connector that decided; null when none did. */
  connector: string | null
}

export const partnerOf = (sender: string, recipient: string, reason: string): string | null =>
  domainOf(isViolationReason(reason) ? sender : recipient)

export const decidingConnector = ({
  reason,
  connectors,
}: {
  reason: string
  connectors: Verdict['connectors']
}): string | null => (isViolationReason(reason) ? connectors.inbound : connectors.outbound)

/** The attributes by which the index `byWaiting` has a recipient. `waiting`: its partition; `wait`: a packed `Wait`. */
export function waitingAttributes(
  { id, direction, size }: Message,
  verdict: Defer,
): { waiting: string; wait: Uint8Array } {
  const { reason, until, expiresAt } = verdict
  const wait: Wait = {
    ...{ size, direction, reason },
    until: until.toISOString(),
    givenUpAt: expiresAt.toISOString(),
    connector: decidingConnector(verdict),
  }
  return { waiting: waitingShard(shardOfMessage(id)), wait: packDetail(wait) }
}

/** The partitions of the index. */
export const waitingShards = (): string[] => Array.from({ length: maxEventShards }, (_, n) => waitingShard(n))

const waitingShard = (shard: number): string => String(shard).padStart(2, '0')

/** A settled recipient, or one that is delivered now, leaves the index. */
export const removalFromWaiting = '#waiting, #wait'
export const waitingNames = { '#waiting': 'waiting', '#wait': 'wait' }
