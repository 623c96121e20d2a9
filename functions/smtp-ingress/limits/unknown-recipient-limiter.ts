/**
 * Limits the recipients that do not exist, for each client. The attack: a client guesses addresses, to learn which exist.
 * The defence: after some guesses in a minute the client's session ends, and until the minute is over the task checks no
 * recipient for that client. Other clients are not affected. Not covered: a client with many addresses, and the other
 * tasks; each has these guesses.
 */
import { minuteMs } from '../../../shared/contract/durations.ts'
import { clientNetwork } from '../../../shared/limits/client-network.ts'
import { BoundedMap } from './bounded-map.ts'

/** More than a mailing list with old addresses has in a message, and as many errors as end a session. */
const maxUnknownPerMinute = 20

const maxClients = 32_768

interface Client {
  minuteStart: number
  unknown: number
}

export class UnknownRecipientLimiter {
  readonly #clients: BoundedMap<Client>
  readonly #now: () => number

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#clients = new BoundedMap({ maxKeys: maxClients, maxAgeMs: minuteMs, now })
  }

  isExceeded(ip: string): boolean {
    const client = this.#clients.get(clientNetwork(ip))
    return client !== undefined && this.#isCurrent(client) && client.unknown > maxUnknownPerMinute
  }

  /** Counts an unknown recipient. @returns whether the limit is exceeded now */
  count(ip: string): boolean {
    const now = this.#now()
    const client = this.#clients.getOrCreate(clientNetwork(ip), () => ({ minuteStart: now, unknown: 0 }))
    if (!this.#isCurrent(client)) Object.assign(client, { minuteStart: now, unknown: 0 })
    return ++client.unknown > maxUnknownPerMinute
  }

  #isCurrent({ minuteStart }: Client): boolean {
    return this.#now() - minuteStart < minuteMs
  }
}
