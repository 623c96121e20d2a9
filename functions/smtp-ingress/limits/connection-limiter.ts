/**
 * Connection limiter, for the task and for each address. The attack: one client takes all sessions, or opens
 * connections endlessly to cause handshakes. The defence: an address has a maximum of concurrent sessions and of new
 * sessions per minute; a /64 of IPv6 is one client. A session in which a connector identified one of the organisation's
 * own servers does not count as new, so that a relay may open a session for each message. Its address is not exempt as
 * such: another program behind the same NAT has the limit. Not covered: that program can use up the address's minute,
 * also for the relay. A client with many addresses gets these maxima for each address. Then only the task's maximum
 * limits that client, and honest clients also get 421 and retry.
 */

import { clientNetwork } from '../../../shared/limits/client-network.ts'
import { type Refusal, tooManyConnections, tooManyNewConnections, tooManySessions } from '../replies.ts'
import { BoundedMap } from './bounded-map.ts'

export interface ConnectionLimits {
  maxSessions: number
  maxSessionsPerAddress: number
  /** New sessions of an address per minute; 0 means unlimited. */
  maxNewSessionsPerMinute: number
}

export function connectionLimits(environment: {
  MAX_CONNECTIONS: number
  MAX_CONNECTIONS_PER_ADDRESS: number
  MAX_CONNECTION_RATE_PER_ADDRESS: number
}): ConnectionLimits {
  return {
    maxSessions: environment.MAX_CONNECTIONS,
    maxSessionsPerAddress: environment.MAX_CONNECTIONS_PER_ADDRESS,
    maxNewSessionsPerMinute: environment.MAX_CONNECTION_RATE_PER_ADDRESS,
  }
}

const minuteMs = 60_000

/** The share of the sessions that is for clients whose mail the task accepted before. */
const spareShare = 0.05

/**
 * Maximum of addresses that have no session and whose count of new sessions is stored. When there are more, the counts
 * of the half that disconnected first are dropped. That costs no protection, because limits for single addresses cannot
 * stop a flood from so many addresses. A dropped count causes no refusal.
 */
const maxIdleAddresses = 65_536

/** An address's minute begins with its first session, and again with the first session after that minute. */
interface Client {
  sessions: number
  /** Sessions admitted in the current minute, without those that ended as attributed. */
  startedInMinute: number
  minuteStart: number
}

export class ConnectionLimiter {
  readonly #limits: ConnectionLimits
  readonly #now: () => number
  readonly #connected = new Map<string, Client>()
  /** Addresses without a session. */
  readonly #idle: BoundedMap<Client>
  #sessions = 0
  #makeRoom: () => void = () => {}
  #isKnown: (address: string) => boolean = () => true

  /** @param now milliseconds of a monotonic clock */
  constructor(limits: ConnectionLimits, now = () => performance.now(), idleAddressLimit = maxIdleAddresses) {
    this.#limits = limits
    this.#now = now
    this.#idle = new BoundedMap({ maxKeys: idleAddressLimit, maxAgeMs: minuteMs, now })
  }

  /**
   * @param makeRoom called for a new session while few are free; ends another session if one may end
   * @param isKnown whether the client may use the last free sessions
   */
  whenNearlyFull(makeRoom: () => void, isKnown: (address: string) => boolean): void {
    this.#makeRoom = makeRoom
    this.#isKnown = isKnown
  }

  sessionsOf(address: string): number {
    return this.#connected.get(clientNetwork(address))?.sessions ?? 0
  }

  get sessions(): number {
    return this.#sessions
  }

  /** Number of addresses in memory. */
  get addresses(): number {
    return this.#connected.size + this.#idle.size
  }

  /**
   * Counts a session of this address.
   * @returns null, and the session is counted until `release`; or the refusal, and the session is not counted
   */
  admit(address: string): Refusal | null {
    const key = clientNetwork(address)
    const now = this.#now()
    const client: Client = this.#connected.get(key) ??
      this.#idle.get(key) ?? { sessions: 0, startedInMinute: 0, minuteStart: now }
    if (now - client.minuteStart >= minuteMs) {
      client.startedInMinute = 0
      client.minuteStart = now
    }
    const refusal = this.#checkLimits(client, address)
    if (refusal !== null) return refusal
    client.sessions++
    client.startedInMinute++
    this.#sessions++
    this.#idle.delete(key)
    this.#connected.set(key, client)
    return null
  }

  /**
   * Ends a counted session.
   * @param isAttributed whether an `OnPremises` connector identified the client
   */
  release(address: string, isAttributed = false): void {
    const key = clientNetwork(address)
    const client = this.#connected.get(key)
    if (client === undefined) return
    this.#sessions--
    if (isAttributed) client.startedInMinute = Math.max(0, client.startedInMinute - 1)
    if (--client.sessions > 0) return
    this.#connected.delete(key)
    if (this.#limits.maxNewSessionsPerMinute > 0) this.#idle.set(key, client)
  }

  /** Checks the limits of the address first: their refusal gives the client the more precise reason. */
  #checkLimits({ sessions, startedInMinute }: Client, address: string): Refusal | null {
    const { maxSessions, maxSessionsPerAddress, maxNewSessionsPerMinute } = this.#limits
    if (sessions >= maxSessionsPerAddress) return tooManyConnections
    if (maxNewSessionsPerMinute > 0 && startedInMinute >= maxNewSessionsPerMinute)
      return tooManyNewConnections
    const firstSpare = maxSessions - Math.floor(maxSessions * spareShare)
    if (this.#sessions >= firstSpare) this.#makeRoom()
    if (this.#sessions < firstSpare) return null
    return this.#sessions >= maxSessions || !this.#isKnown(address) ? tooManySessions : null
  }
}
