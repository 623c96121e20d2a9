/**
 * Checks recipients by callouts to their mailbox server, and caches the results. The attack: a client makes the gateway
 * open sessions to the mailbox server endlessly, or fills the limits so that other clients' mail is not checked. The
 * defence: one callout for all that wait for the same recipient, a limit for each client and for the task, and a cache.
 * Beyond a limit the answer is `Busy`, never that the recipient exists. Not covered: clients with many addresses delay
 * mail to recipients that are not in the cache.
 */
import { minuteMs } from '../../../shared/contract/durations.ts'
import type { CalloutResult } from '../../../shared/contract/recipient-callout.ts'
import { comparableMailbox } from '../../../shared/mail/address.ts'
import { clientNetwork } from '../../../shared/net/client-network.ts'
import { BoundedMap } from '../limits/bounded-map.ts'
import { causeOf, type Log } from '../log.ts'

/** Invokes check-recipient. @throws Error when it cannot be invoked */
export type CalloutInvoker = (address: string) => Promise<CalloutResult>

/** `Busy`: not checked, because a limit is reached. */
export type CalloutAnswer = CalloutResult['result'] | 'Busy'

/**
 * Milliseconds for which a result applies. A mailbox that was removed bounces at most this long. A mailbox that was
 * created receives mail after ten minutes, and its senders have a definite refusal until then.
 */
const lifetimesMs: Readonly<Record<CalloutResult['result'], number>> = {
  Exists: 240 * minuteMs,
  Unknown: 10 * minuteMs,
  Undetermined: minuteMs,
}

/** Concurrent callouts of the task, and those that one client causes. */
const limits = { task: 20, client: 4 }
/** About 15 MB. */
const maxCachedResults = 65_536

interface CachedResult {
  result: CalloutResult['result']
  until: number
}

export class Callouts {
  readonly #invoke: CalloutInvoker
  readonly #log: Log
  readonly #now: () => number
  readonly #results = new BoundedMap<CachedResult>({ maxKeys: maxCachedResults })
  readonly #pending = new Map<string, Promise<CalloutAnswer>>()
  readonly #pendingOfClient = new Map<string, number>()

  /** @param now milliseconds of a monotonic clock */
  constructor(invoke: CalloutInvoker, log: Log, now: () => number = () => performance.now()) {
    this.#invoke = invoke
    this.#log = log
    this.#now = now
  }

  /** Never rejects. @param ip the client's address */
  check(address: string, ip: string): CalloutAnswer | Promise<CalloutAnswer> {
    const key = comparableMailbox(address)
    const cached = this.#results.get(key)
    if (cached && this.#now() < cached.until) return cached.result
    const pending = this.#pending.get(key)
    if (pending) return pending
    const client = clientNetwork(ip)
    const clientCount = this.#pendingOfClient.get(client) ?? 0
    if (this.#pending.size >= limits.task || clientCount >= limits.client) return 'Busy'
    this.#pendingOfClient.set(client, clientCount + 1)
    const check = this.#check(address, key).finally(() => {
      this.#pending.delete(key)
      this.#release(client)
    })
    this.#pending.set(key, check)
    return check
  }

  async #check(address: string, key: string): Promise<CalloutAnswer> {
    const { result, detail } = await this.#invoke(address).catch(
      (error: unknown): CalloutResult => ({ result: 'Undetermined', detail: causeOf(error) }),
    )
    this.#results.set(key, { result, until: this.#now() + lifetimesMs[result] })
    if (result === 'Undetermined')
      this.#log('warn', 'a recipient could not be checked at its mailbox server: it is accepted', {
        recipient: address,
        cause: detail,
      })
    return result
  }

  #release(client: string): void {
    const count = (this.#pendingOfClient.get(client) ?? 1) - 1
    if (count > 0) this.#pendingOfClient.set(client, count)
    else this.#pendingOfClient.delete(client)
  }
}
