/**
 * How many sessions there may be: in all, and of one address. The attack: one sender, or one attacker, takes all
 * sessions, or makes connection upon connection for the cost of their handshakes. The defence: an address has so many
 * sessions at once and so many new ones a minute; an IPv6 client is its /64. The limit: who has many addresses has as
 * many shares; then the number in all protects the task, and honest clients hear 421 and come again.
 */
import { type Refused, tooManyConnections, tooManyNewConnections, tooManySessions } from '../replies.ts'
import { BoundedMemory } from './bounded-memory.ts'
import { clientNetwork } from './client-network.ts'

export interface AdmissionLimits {
  sessions: number
  sessionsOfAddress: number
  /** New sessions of an address in a minute; 0 means as many as come. */
  rateOfAddress: number
}

/** What the environment says of admission. */
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
 * Addresses that are remembered without a session, for their rate. Beyond them the half that left first is forgotten
 * and begins anew: who has that many addresses is not held by a rate of each, and nobody is refused for another's
 * flood.
 */
const rememberedAddresses = 65_536

/** The minute of an address begins with its first session, and the next with the first one after that minute. */
interface Client {
  sessions: number
  /** Admitted in its minute. */
  admitted: number
  since: number
}

export class SessionCounts {
  readonly #limits: AdmissionLimits
  readonly #now: () => number
  readonly #present = new Map<string, Client>()
  /** Without a session. */
  readonly #absent: BoundedMemory<Client>
  #sessions = 0

  /** @param now milliseconds of a clock that nobody sets */
  constructor(limits: AdmissionLimits, now = () => performance.now(), remembered = rememberedAddresses) {
    this.#limits = limits
    this.#now = now
    this.#absent = new BoundedMemory({ most: remembered, maxAgeMs: minute, now })
  }

  get sessions(): number {
    return this.#sessions
  }

  /** Addresses of which something is remembered. */
  get addresses(): number {
    return this.#present.size + this.#absent.size
  }

  /**
   * Counts a session of this address.
   * @returns null, and the session is counted until `release`; or how it is refused, and it is not counted
   */
  admit(address: string): Refused | null {
    const name = clientNetwork(address)
    const now = this.#now()
    const client = this.#present.get(name) ??
      this.#absent.get(name) ?? { sessions: 0, admitted: 0, since: now }
    if (now - client.since >= minute) Object.assign(client, { admitted: 0, since: now })
    const refused = this.#refuse(client)
    if (refused !== null) return refused
    client.sessions++
    client.admitted++
    this.#sessions++
    this.#absent.delete(name)
    this.#present.set(name, client)
    return null
  }

  /** A session that was admitted has ended. */
  release(address: string): void {
    const name = clientNetwork(address)
    const client = this.#present.get(name)
    if (client === undefined) return
    this.#sessions--
    if (--client.sessions > 0) return
    this.#present.delete(name)
    if (this.#limits.rateOfAddress > 0) this.#absent.set(name, client)
  }

  /** An address's own excess is told first: it concerns nobody else. */
  #refuse({ sessions, admitted }: Client): Refused | null {
    const { sessionsOfAddress, rateOfAddress } = this.#limits
    if (sessions >= sessionsOfAddress) return tooManyConnections
    if (rateOfAddress > 0 && admitted >= rateOfAddress) return tooManyNewConnections
    return this.#sessions >= this.#limits.sessions ? tooManySessions : null
  }
}
