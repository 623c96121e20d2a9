/**
 * Remembers the addresses whose messages this task accepted, so that their sessions are kept while the task has few
 * free sessions. An address keeps a few sessions only, because any client can send one message.
 */
import { dayMs } from '../../../shared/contract/durations.ts'
import { clientNetwork } from '../../../shared/limits/client-network.ts'
import { BoundedMap } from './bounded-map.ts'

const maxAddresses = 65_536

export class KnownSenders {
  readonly #addresses: BoundedMap<object>

  /** @param now milliseconds of a monotonic clock */
  constructor(now = () => performance.now()) {
    this.#addresses = new BoundedMap({ maxKeys: maxAddresses, maxAgeMs: dayMs, now })
  }

  add(address: string): void {
    this.#addresses.getOrCreate(clientNetwork(address), () => ({}))
  }

  has(address: string): boolean {
    return this.#addresses.get(clientNetwork(address)) !== undefined
  }
}
