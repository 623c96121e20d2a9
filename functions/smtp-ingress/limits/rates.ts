/**
 * How many messages may come in a minute: by one connector, and from one address. The attack: a server sends more than
 * what is behind us can bear, or takes all that the gateway can do. The defence: a message beyond a limit is put off
 * at its first recipient, so that the sender's server keeps it; nothing that was accepted is refused for it later. The
 * limit of a connector holds over all tasks and is counted in the transport table; that of an address holds within a
 * task, since any stranger has an address, and none is to cause writes to a table. What either limit lets through
 * besides: see rates-shared.ts. Who may send in a connector's name may use up its limit: one that restricts its
 * domains to a certificate or to addresses keeps others from it.
 */
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import { reply } from '../../../shared/mail/reply.ts'
import type { Log } from '../log.ts'
import type { Refused } from '../replies.ts'
import { clientNetwork } from './client-network.ts'
import { type SharedCounts, SharedRates } from './rates-shared.ts'

export interface Rates {
  /**
   * Counts a message that begins: once for each transaction, when its first recipient is accepted.
   * @param connectors that match the sender; those that only report limit nothing
   * @param at milliseconds since 1970
   * @returns null, and it is counted; or how it is refused for now, and it is not counted
   */
  refuse(ip: string, connectors: readonly InboundConnector[], at: number): TooManyMessages | null
  stop(): void
}

export interface TooManyMessages extends Refused {
  /** Whose limit it is, for the log; null for that of an address. */
  connector: string | null
}

const ofConnector = reply(451, '7.0', 'Too many messages of this connector a minute, try again later')
const fromAddress = reply(451, '7.0', 'Too many messages from your address a minute, try again later')

export interface RatesOptions {
  /** What connectors took, over all tasks: RateTable. */
  connectorCounts: SharedCounts
  /** Messages a minute from one address; 0 means as many as come. */
  perAddress: number
  log: Log
  /** Milliseconds since 1970. */
  now(): number
}

/** Addresses that are counted at once: some ten megabytes, with those of the minute before. */
const mostAddresses = 32_768
/** More than anybody has connectors. */
const mostConnectors = 65_536

/** What was counted and not reported yet is not reported after `stop`. */
export function messageRates(options: RatesOptions): Rates {
  const { connectorCounts, perAddress, log, now } = options
  const connectorRates = new SharedRates({
    counts: connectorCounts,
    most: mostConnectors,
    log,
    now,
  })
  const addressRates = new SharedRates({ counts: null, most: mostAddresses, log, now })
  const ticking = setInterval(() => connectorRates.tick(now()), 1000).unref()
  return {
    refuse(ip, connectors, at) {
      const full = connectors.find((connector) => {
        const limit = limitOf(connector)
        return limit !== null && !connectorRates.hasRoom(connector.id, limit, at)
      })
      if (full) return { reason: 'MessageRate', reply: ofConnector, connector: full.id }
      if (perAddress > 0) {
        const client = clientNetwork(ip)
        if (!addressRates.hasRoom(client, perAddress, at))
          return { reason: 'MessageRatePerAddress', reply: fromAddress, connector: null }
        addressRates.take(client, perAddress, at)
      }
      for (const connector of connectors) {
        const limit = limitOf(connector)
        if (limit !== null) connectorRates.take(connector.id, limit, at)
      }
      return null
    },
    stop: () => clearInterval(ticking),
  }
}

/** Connectors that were written before there was a limit say nothing of it. */
const limitOf = ({ mode, messageRateLimit }: InboundConnector): number | null =>
  mode === 'Enforce' ? (messageRateLimit ?? null) : null
