/**
 * Rate limiter for messages of a connector and of an address. The attack: a server sends more messages than the gateway
 * or the next hops can handle. The defence: a message beyond a limit is refused with 451 at its first recipient, so the
 * client keeps the message. A message whose connector its content confirms is refused at its end. An accepted message is never refused later. A connector's limit applies to all tasks
 * together and is counted in the transport table. An address's limit applies to one task: unknown clients must not
 * cause table writes. Not covered: the shared count lets some excess pass. Any client that uses a partner's domain can
 * also use up the limit of the partner's connector. To prevent that, the connector must restrict its domains to a
 * certificate or to addresses, with `onViolation: Bounce`.
 */
import type { InboundConnector } from '../../../shared/connectors/schema.ts'
import { clientNetwork } from '../../../shared/limits/client-network.ts'
import type { Log } from '../log.ts'
import { type Refusal, refusal } from '../replies.ts'
import { type SharedCounts, SharedRateCounter } from './shared-rate-counter.ts'

export interface MessageRateLimiter {
  /**
   * Counts a message: once for each transaction, when its first recipient is accepted, and once for each connector that
   * applies to a later recipient only.
   * @param ip null if the message is counted for its address
   * @param connectors the connectors that match the sender; the limit of a report-only connector is not applied
   * @param at milliseconds since 1970
   * @returns null, and the message is counted; or a temporary refusal, and it is not counted
   */
  countMessage(
    ip: string | null,
    connectors: readonly InboundConnector[],
    at: number,
  ): RateLimitRefusal | null
  stop(): void
}

export interface RateLimitRefusal extends Refusal {
  /** The connector whose limit was reached, for the log; null for an address's limit. */
  connector: string | null
}

/** A connector's `messageRateLimit`, over all tasks. */
export const tooManyForConnector = refusal(
  'MessageRate',
  451,
  '4.7.0',
  'Too many messages per minute for this connector, try again later',
)
/** `maximumMessagesPerMinutePerAddress` */
export const tooManyFromAddress = refusal(
  'MessageRatePerAddress',
  451,
  '4.7.0',
  'Too many messages per minute from your address, try again later',
)

export interface MessageRateLimiterOptions {
  /** The connectors' counts over all tasks (`RateTable`). */
  connectorCounts: SharedCounts
  /** Messages per minute from one address; 0 means unlimited. */
  addressLimit: number
  log: Log
  /** Milliseconds since 1970. */
  now(): number
}

/** Maximum of addresses in memory: about ten megabytes. */
const maxAddresses = 32_768
/** More connectors than any deployment has. */
const maxConnectors = 65_536

/** `stop` ends the reports to `connectorCounts`; counts that are not reported yet are lost. */
export function createMessageRateLimiter(options: MessageRateLimiterOptions): MessageRateLimiter {
  const { connectorCounts, addressLimit, log, now } = options
  const connectorRates = new SharedRateCounter({
    counts: connectorCounts,
    maxKeys: maxConnectors,
    log,
    now,
  })
  const addressRates = new SharedRateCounter({ counts: null, maxKeys: maxAddresses, log, now })
  const ticker = setInterval(() => connectorRates.tick(now()), 1000).unref()
  return {
    countMessage(ip, connectors, at) {
      const limitedConnector = connectors.find((connector) => {
        const limit = limitOf(connector)
        return limit !== null && !connectorRates.isBelowLimit(connector.id, limit, at)
      })
      if (limitedConnector) return { ...tooManyForConnector, connector: limitedConnector.id }
      if (addressLimit > 0 && ip !== null) {
        const client = clientNetwork(ip)
        if (!addressRates.isBelowLimit(client, addressLimit, at))
          return { ...tooManyFromAddress, connector: null }
        addressRates.countMessage(client, addressLimit, at)
      }
      for (const connector of connectors) {
        const limit = limitOf(connector)
        if (limit !== null) connectorRates.countMessage(connector.id, limit, at)
      }
      return null
    },
    stop: () => clearInterval(ticker),
  }
}

/** Messages per minute, or null for no limit. Connectors stored before this setting existed do not have the field. */
const limitOf = ({ mode, messageRateLimit }: InboundConnector): number | null =>
  mode === 'Enforce' ? (messageRateLimit ?? null) : null
