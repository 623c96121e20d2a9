/** How many messages may come in a minute: from one address, and by one connector. */
import type { InboundConnector } from '../../shared/connectors/schema.ts'
import type { Refused } from './replies.ts'

export interface Rates {
  /**
   * Counts a message that begins: once for each transaction, at its first recipient.
   * @param connectors that match the sender
   * @param at milliseconds since 1970
   * @returns how it is refused for now, or null
   */
  refuse(ip: string, connectors: readonly InboundConnector[], at: number): Refused | null
  stop(): void
}
