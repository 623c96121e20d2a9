/**
 * Connection limiter, for the task and for each address. The attack: one client takes all sessions, or opens
 * connections endlessly to cause handshakes. The defence: an address has a maximum of concurrent sessions and of new
 * ones a minute; an IPv6 client counts as its /64. The limit: a client with many addresses has as many shares. Then the
 * task's maximum protects it, and honest clients get 421 and retry.
 */
import { type Refusal, tooManyConnections, tooManyNewConnections, tooManySessions } from '../replies.ts'
import { BoundedMemory } from './bounded-memory.ts'
import { clientNetwork } from './client-network.ts'

export interface AdmissionLimits {
  sessions: number
  sessionsOfAddress: number
  /** New sessions of an address in a minute; 0 means unlimited. */
  rateOfAddress: number
}

export function admissionLimits(environment: {
  MAX_CONNECTIONS: number
  MAX_CONNECTIONS_PER_ADDRESS: number
  MAX_CONNECTION_RATE_PER_ADDRESS: number
}): AdmissionLimits {
  return {
    sessions: environment.MAX_CONNECTIONS,
    sessionsOfAddress: environment.MAX_CONNECTIONS_PER_ADDRESS,
    rateOfAddress: environment.MAX_CONNECTION_RATE_PER_ADDRESS,
  }
}

const minute = 60_000

/**
 * Addresses without a session that are kept for their rate. Beyond it, the half that left first is forgotten: limits
 * for single addresses cannot stop a flood from so many, and no client is refused because of another's flood.
 */
const rememberedAddresses = 65_536

/** An address's minute begins with its first session, and again with the first session after that minute. */
interface Client {
  sessions: number
  /** Sessions admitted in the current minute. */
  admitted: number
  since: number
}

export class SessionCounts {
  readonly #limits: AdmissionLimits
  readonly #now: () => number
  readonly #present = new Map<string, Client>()
  /** Addresses without a session. */
  readonly #absent: BoundedMemory<Client>
  #sessions = 0

  /** @param now milliseconds of a monotonic clock */
  constructor(limits: AdmissionLimits, now = () => performance.now(), remembered = rememberedAddresses) {
    this.#limits = limits
    this.#now = now
    this.#absent = new BoundedMemory({ most: remembered, maxAgeMs: minute, now })
  }

  get sessions(): number {
    return this.#sessions
  }

  /** Addresses held. */
  get addresses(): number {
    return this.#present.size + this.#absent.size
  }

  /**
   * Counts a session of this address.
   * @returns null, and the session counts until `release`; or the refusal, and it does not count
   */
  admit(address: string): Refusal | null {
    const name = clientNetwork(address)
    const now = this.#now()
    const client: Client = this.#present.get(name) ??
      this.#absent.get(name) ?? { sessions: 0, admitted: 0, since: now }
    if (now - client.since >= minute) {
      client.admitted = 0
      client.since = now
    }
    const refused = this.#refuse(client)
    if (refused !== null) return refused
    client.sessions++
    client.admitted++
    this.#sessions++
    this.#absent.delete(name)
    this.#present.set(name, client)
    return null
  }

  /** Ends a counted session. */
  release(address: string): void {
    const name = clientNetwork(address)
    const client = this.#present.get(name)
    if (client === undefined) return
    this.#sessions--
    if (--client.sessions > 0) return
    this.#present.delete(name)
    if (this.#limits.rateOfAddress > 0) this.#absent.set(name, client)
  }

  /** An address's own excess is reported first: it is the more precise reason. */
  #refuse({ sessions, admitted }: Client): Refusal | null {
    const { sessionsOfAddress, rateOfAddress } = this.#limits
    if (sessions >= sessionsOfAddress) return tooManyConnections
    if (rateOfAddress > 0 && admitted >= rateOfAddress) return tooManyNewConnections
    return this.#sessions >= this.#limits.sessions ? tooManySessions : null
  }
}
