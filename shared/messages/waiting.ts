/** What a deferred recipient waits for. Pure. */
import { messageHash } from '../contract/events.ts'
import type { Message } from '../contract/message.ts'
import { domainOf } from '../mail/address.ts'
import type { Defer, Verdict } from '../policy/evaluate.ts'
import { isViolationReason } from '../policy/reasons.ts'

/** What the index `byWaiting` knows of a deferred recipient. Times are milliseconds since the epoch. */
export interface Wait {
  /** Octets of the message. */
  size: number
  direction: Message['direction']
  reason: string
  /** When the next decision is due. */
  until: number
  /** When it bounces. */
  givenUpAt: number
  /** Id of the connector that decided; null when none did. */
  connector: string | null
}

/**
 * The attribute `wait`: the values of a `Wait`. With their names the item would be larger than 1 KB, and to unpack the
 * rows of 100,000 recipients takes seconds and gigabytes.
 */
export type WaitValues = [
  size: number,
  direction: Wait['direction'],
  reason: string,
  until: number,
  givenUpAt: number,
  /** Position in the attribute `connectors`. */
  connector: number | null,
]

/** @param connectors the attribute `connectors` */
export const waitOf = (
  [size, direction, reason, until, givenUpAt, connector]: WaitValues,
  connectors: readonly string[],
): Wait => ({
  ...{ size, direction, reason, until, givenUpAt },
  connector: connector === null ? null : (connectors[connector] ?? null),
})

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

/** The attribute `connectors`. */
export const connectorsOf = ({ connectors: { inbound, outbound } }: Pick<Verdict, 'connectors'>): string[] =>
  [inbound, outbound].filter((id) => id !== null)

/** The attributes by which the index `byWaiting` has a recipient. `waiting`: its partition. */
export function waitingAttributes(
  { id, direction, size }: Message,
  verdict: Defer,
): { waiting: string; wait: WaitValues } {
  const { reason, until, expiresAt } = verdict
  const connector = decidingConnector(verdict)
  const position = connector === null ? null : connectorsOf(verdict).indexOf(connector)
  return {
    waiting: waitingShard(messageHash(id) % shardCount),
    wait: [size, direction, reason, until.getTime(), expiresAt.getTime(), position],
  }
}

/**
 * DynamoDB takes 1,000 writes a second in a partition. In an outage a message enters the index, and leaves and enters it
 * again with each attempt.
 */
const shardCount = 64

/** The partitions of the index. */
export const waitingShards = (): string[] => Array.from({ length: shardCount }, (_, n) => waitingShard(n))

const waitingShard = (shard: number): string => String(shard).padStart(2, '0')

/** A settled recipient, or one that is delivered now, leaves the index. */
export const removalFromWaiting = '#waiting, #wait'
export const waitingNames = { '#waiting': 'waiting', '#wait': 'wait' }
