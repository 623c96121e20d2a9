/**
 * Turns rejections into few events whose counts are exact. Pure. The attack: sessions that are refused ten thousand
 * times per second, from one address or from endless networks, so that their events cost storage and memory. The
 * defence: above a rate, rejections are counted together by minute, network, stage, reason, connector and reply; with
 * too many networks without the network; then by hour. All rates and numbers of waiting events are limited. Not covered:
 * under an attack from many networks, the rejections of others also lose their details, but not their connector.
 */

import type { EventFields } from '../../../shared/events/create-event.ts'
import { clientNetwork } from '../../../shared/limits/client-network.ts'
import type { Rejection } from './rejection.ts'
import { TokenBucket } from './token-bucket.ts'

/**
 * Events per second of each kind, detailed and counted, in the long run. Twenty in all cost about two dollars a day and
 * task, for the writes of the messages table. A hundred may come at once, so that a test or a misconfigured partner
 * is seen in detail.
 */
const perSecond = 10
const burst = 100
/** A network without a detailed rejection in this second may use these tokens; others may not. */
const detailsForOtherNetworks = 50
/** Counts without network may use these tokens; counts by network may not. */
const countsWithoutNetwork = 20

/** Events of each kind that wait while the queue fails; about a megabyte. */
export const maxWaiting = 1000
/** A queue that fails for longer has one more event for all later hours. */
export const maxHours = 24

const secondMs = 1000
const minuteMs = 60_000
const hourMs = 3_600_000

/** The reason of rejections that are counted only by hour. */
export const variousReasons = 'Various'

type CountedRejections = EventFields & { count: number }

export class RejectionAggregator {
  readonly #detailTokens = new TokenBucket(perSecond, burst)
  readonly #countTokens = new TokenBucket(perSecond, burst)
  #second = Number.NaN
  /** The networks with a detailed rejection in this second. */
  readonly #detailedNetworks = new Set<string>()
  #detailed: EventFields[] = []
  #counted = new Map<string, CountedRejections>()
  #hours = new Map<number, CountedRejections>()
  #latestHour: CountedRejections | null = null

  get isEmpty(): boolean {
    return this.#detailed.length + this.#counted.size + this.#hours.size === 0
  }

  add(rejection: Rejection): void {
    const network = clientNetwork(rejection.ip)
    if (this.#takeDetailToken(network, rejection.at))
      this.#detailed.push({ ...columnsOf(rejection), ...rejection.details(), clientIp: rejection.ip })
    else this.#count(rejection, network)
  }

  /** Returns the events since the last call; their counts add up to the number of rejections. */
  take(): EventFields[] {
    const events = [...this.#detailed, ...this.#counted.values(), ...this.#hours.values()]
    this.#detailed = []
    this.#counted = new Map()
    this.#hours = new Map()
    this.#latestHour = null
    return events
  }

  #takeDetailToken(network: string, at: number): boolean {
    const second = Math.floor(at / secondMs)
    if (second !== this.#second) this.#detailedNetworks.clear()
    this.#second = second
    if (this.#detailed.length >= maxWaiting) return false
    const reserved = this.#detailedNetworks.has(network) ? detailsForOtherNetworks : 0
    if (!this.#detailTokens.take(at, reserved)) return false
    this.#detailedNetworks.add(network)
    return true
  }

  #count(rejection: Rejection, network: string): void {
    const { at, stage, reason, connector = '', reply = '' } = rejection
    const key = [Math.floor(at / minuteMs), stage, reason, connector, reply].join('\0')
    const event =
      this.#eventFor(`${key}\0${network}`, at, countsWithoutNetwork, () => ({
        ...columnsOf(rejection),
        clientIp: network,
      })) ??
      this.#eventFor(key, at, 0, () => columnsOf(rejection)) ??
      this.#eventForHour(at)
    event.count++
  }

  /** @returns null if there is no event with this key and none may be created */
  #eventFor(key: string, at: number, reserved: number, columns: () => EventFields): CountedRejections | null {
    const known = this.#counted.get(key)
    if (known !== undefined) return known
    if (this.#counted.size >= maxWaiting || !this.#countTokens.take(at, reserved)) return null
    const event = { ...columns(), count: 0 }
    this.#counted.set(key, event)
    return event
  }

  #eventForHour(at: number): CountedRejections {
    const hour = Math.floor(at / hourMs)
    const known = this.#hours.get(hour) ?? (this.#hours.size >= maxHours ? this.#latestHour : null)
    if (known !== null) return known
    const event = { ...verdictColumns(at), reason: variousReasons, count: 0 }
    this.#hours.set(hour, event)
    this.#latestHour = event
    return event
  }
}

const verdictColumns = (at: number) =>
  ({ at: new Date(at).toISOString(), decision: 'Refuse', state: 'Rejected' }) as const

/** The columns that rejections counted together have in common; `at` is the first one's. */
const columnsOf = ({ at, stage, reason, reply, connector, requiredLevel }: Rejection): EventFields => ({
  ...verdictColumns(at),
  stage,
  reason,
  ...(reply !== undefined && { reply }),
  ...(connector !== undefined && { inboundConnector: connector, mode: 'Enforce' }),
  ...(requiredLevel !== undefined && { requiredLevel }),
})
