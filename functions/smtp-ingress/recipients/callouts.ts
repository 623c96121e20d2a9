/**
 * Checks recipients by callouts to their mailbox server, and caches the results. The attack: a client makes the gateway
 * open sessions to the mailbox server endlessly, or fills the limits so that other clients' mail is not checked. The
 * defence: one callout for all that wait for the same recipient, a limit for each client and for the task, and a cache.
 * Beyond a limit the answer is `Busy`, never that the recipient exists. A mailbox server that is down is not asked again at
 * once, so that its callouts do not occupy those of other domains. Not covered: clients with many addresses delay
 * mail to recipients that are not in the cache.
 */
import { minuteMs } from '../../../shared/contract/durations.ts'
import type { CalloutResult } from '../../../shared/contract/recipient-callout.ts'
import { clientNetwork } from '../../../shared/limits/client-network.ts'
import { comparableMailbox } from '../../../shared/mail/address.ts'
import { BoundedMap } from '../limits/bounded-map.ts'
import { causeOf, type Log } from '../log.ts'

/**
 * Invokes check-recipient. `Throttled`: too many invocations of all tasks.
 * @throws Error when it cannot be invoked
 */
export type CalloutInvoker = (address: string) => Promise<CalloutResult | 'Throttled'>

/** `Busy` and `Throttled`: not checked, because a limit is reached: of this class, or of the function. */
export type CalloutAnswer = CalloutResult['result'] | 'Busy' | 'Throttled'

/**
 * Milliseconds for which a result applies. A mailbox that was removed bounces at most this long. A mailbox that was
 * created receives mail after ten minutes, and its senders have a definite refusal until then.
 */
const lifetimesMs: Readonly<Record<CalloutResult['result'], number>> = {
  Exists: 240 * minuteMs,
  Unknown: 10 * minuteMs,
  Undetermined: minuteMs,
}

/** Milliseconds for which a domain is not checked when no session to its mailbox server could be opened. */
const unreachableMs = 30_000

/** Concurrent callouts of the task, those that one client causes, and those that it causes in a minute. */
const limits = { task: 10, client: 4, clientPerMinute: 120 }
const maxClients = 32_768
/** About 15 MB. */
const maxCachedResults = 65_536

interface Client {
  pending: number
  minuteStart: number
  startedInMinute: number
}

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
  /** The time until which each domain is not checked. */
  readonly #unreachableUntil = new Map<string, number>()
  readonly #clients = new BoundedMap<Client>({ maxKeys: maxClients })

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
    if (this.#now() < (this.#unreachableUntil.get(domainPartOf(key)) ?? 0)) return 'Undetermined'
    const client = this.#clientOf(ip)
    if (this.#pending.size >= limits.task || isLimited(client)) return 'Busy'
    client.pending++
    client.startedInMinute++
    const check = this.#check(address, key).finally(() => {
      this.#pending.delete(key)
      client.pending--
    })
    this.#pending.set(key, check)
    return check
  }

  async #check(address: string, key: string): Promise<CalloutAnswer> {
    const answer = await this.#invoke(address).catch(
      (error: unknown): CalloutResult => ({ result: 'Undetermined', detail: causeOf(error) }),
    )
    if (answer === 'Throttled') return answer
    const { result, detail, isUnreachable = false } = answer
    if (isUnreachable) this.#unreachableUntil.set(domainPartOf(key), this.#now() + unreachableMs)
    this.#results.set(key, { result, until: this.#now() + lifetimesMs[result] })
    if (result === 'Undetermined')
      this.#log('warn', 'a recipient could not be checked at its mailbox server: it is accepted', {
        recipient: address,
        cause: detail,
      })
    return result
  }

  #clientOf(ip: string): Client {
    const now = this.#now()
    const newClient = () => ({ pending: 0, minuteStart: now, startedInMinute: 0 })
    const client = this.#clients.getOrCreate(clientNetwork(ip), newClient)
    if (now - client.minuteStart >= minuteMs) Object.assign(client, { minuteStart: now, startedInMinute: 0 })
    return client
  }
}

const domainPartOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1)

const isLimited = ({ pending, startedInMinute }: Client): boolean =>
  pending >= limits.client || startedInMinute >= limits.clientPerMinute
