/**
 * Limits the processor time of TLS handshakes. The attack: a client presents a long chain of certificates whose keys
 * are expensive to verify, which costs a hundred times an ordinary handshake. OpenSSL verifies the chain before Node.js
 * can look at it. The defence: the octets of a handshake with a request for a certificate are limited; its time is
 * counted before the next octets are read; a client that was expensive twice is not asked for a certificate for a
 * while, which doubles each time. A client that presented none is not asked again for an hour, because measuring costs
 * a fifth more per message. Not covered: each new address can cause two expensive handshakes, and a client with many
 * addresses can cause ordinary handshakes up to its connection rates, which costs more.
 */
import ipaddr from 'ipaddr.js'
import { hourMs, minuteMs } from '../../../shared/contract/durations.ts'
import { clientNetwork } from '../../../shared/limits/client-network.ts'
import { BoundedMap } from './bounded-map.ts'

/**
 * Octets from a client until the end of its handshake. Six certificates with 4096-bit keys and many names need about
 * twelve thousand.
 */
export const maxHandshakeOctets = 16_384

/**
 * Milliseconds of the processor for one handshake; an ordinary one takes three. The first of a process, or one with a
 * garbage collection, may take longer, so that only the second within an hour has a penalty.
 */
const maxHandshakeMs = 40
/** After the second expensive handshake; then twice as long each time, up to an hour. A busy task may measure wrongly. */
const firstPenaltyMs = minuteMs
/** Milliseconds of the processor per minute for the handshakes of an address, and of a network. */
const maxAddressMsPerMinute = 2_000
const maxNetworkMsPerMinute = 6_000

const maxClients = 65_536

interface Client {
  /** Times of a monotonic clock. */
  minuteStart: number
  msInMinute: number
  expensiveUntil: number
  /** Until then, an expensive handshake is not the first. */
  suspectUntil: number
  /** The next time without a request for a certificate. */
  penaltyMs: number
  /** Until then the client is asked, because a decision depended on a certificate that was not requested. */
  requestUntil: number
}

export class HandshakeCosts {
  readonly #now: () => number
  readonly #addresses: BoundedMap<Client>
  readonly #networks: BoundedMap<Client>
  /** By address and EHLO name, because clients may share an address. */
  readonly #withoutCertificate: BoundedMap<{ until: number }>

  /** @param now milliseconds of a monotonic clock */
  constructor(now = () => performance.now()) {
    this.#now = now
    this.#addresses = new BoundedMap({ maxKeys: maxClients, maxAgeMs: 2 * hourMs, now })
    this.#networks = new BoundedMap({ maxKeys: maxClients, maxAgeMs: hourMs, now })
    this.#withoutCertificate = new BoundedMap({ maxKeys: maxClients, maxAgeMs: hourMs, now })
  }

  /** Whether to request a certificate in the next handshake. @param name the client's name in EHLO */
  shouldRequest(address: string, name: string): boolean {
    if (this.isExpensive(address)) return false
    const now = this.#now()
    if (now < (this.#addresses.get(clientNetwork(address))?.requestUntil ?? 0)) return true
    return now >= (this.#withoutCertificate.get(keyOf(address, name))?.until ?? 0)
  }

  /** Whether a handshake of the client that has begun must end. */
  isExpensive(address: string): boolean {
    const now = this.#now()
    const client = this.#addresses.get(clientNetwork(address))
    if (client !== undefined && now < client.expensiveUntil) return true
    // A network's penalty does not reach clients that are known.
    return client === undefined && now < (this.#networks.get(widerNetwork(address))?.expensiveUntil ?? 0)
  }

  /**
   * Counts time of a handshake with a request for a certificate, while it proceeds.
   * @param handshakeMs time of this handshake so far
   * @param addedMs the part that was not counted yet
   */
  addTime(address: string, handshakeMs: number, addedMs: number): void {
    const now = this.#now()
    const client = this.#client(address)
    const network = this.#networks.getOrCreate(widerNetwork(address), newClient)
    addTime(client, addedMs, now)
    addTime(network, addedMs, now)
    const hasBecomeExpensive = handshakeMs > maxHandshakeMs && handshakeMs - addedMs <= maxHandshakeMs
    if ((hasBecomeExpensive && recordExpensive(client, now)) || client.msInMinute > maxAddressMsPerMinute)
      penalise(client, now)
    if (network.msInMinute > maxNetworkMsPerMinute) network.expensiveUntil = now + minuteMs
  }

  /** Records a handshake with too many octets. */
  recordTooLarge(address: string): void {
    penalise(this.#client(address), this.#now())
  }

  /** Records a full handshake in which a certificate was requested. */
  recordEnd(address: string, name: string, hasCertificate: boolean): void {
    const key = keyOf(address, name)
    if (hasCertificate) this.#withoutCertificate.delete(key)
    else this.#withoutCertificate.set(key, { until: this.#now() + hourMs })
  }

  /** A decision depends on a certificate that was not requested: the address is asked from now on. */
  requestNext(address: string): void {
    this.#client(address).requestUntil = this.#now() + hourMs
  }

  #client(address: string): Client {
    return this.#addresses.getOrCreate(clientNetwork(address), newClient)
  }
}

const keyOf = (address: string, name: string): string => `${clientNetwork(address)} ${name.toLowerCase()}`

const newClient = (): Client => ({
  minuteStart: Number.NEGATIVE_INFINITY,
  msInMinute: 0,
  expensiveUntil: 0,
  suspectUntil: 0,
  penaltyMs: firstPenaltyMs,
  requestUntil: 0,
})

function addTime(client: Client, ms: number, now: number): void {
  if (now - client.minuteStart >= minuteMs) {
    client.minuteStart = now
    client.msInMinute = 0
  }
  client.msInMinute += ms
}

/** @returns whether it is not the first expensive handshake within an hour */
function recordExpensive(client: Client, now: number): boolean {
  const isRepeated = now < client.suspectUntil
  client.suspectUntil = now + hourMs
  return isRepeated
}

/** Several handshakes at the same time are one offence. After an hour without one, the next is the first again. */
function penalise(client: Client, now: number): void {
  if (now < client.expensiveUntil) return
  if (now - client.expensiveUntil > hourMs) client.penaltyMs = firstPenaltyMs
  client.expensiveUntil = now + client.penaltyMs
  client.penaltyMs = Math.min(2 * client.penaltyMs, hourMs)
}

/** The network of a provider or site: the /24 of an IPv4 address, the /48 of an IPv6 address. */
function widerNetwork(ip: string): string {
  try {
    const address = ipaddr.process(ip)
    return address.kind() === 'ipv4'
      ? address.toString().replace(/\d+$/, '0/24')
      : `${new ipaddr.IPv6([...(address as ipaddr.IPv6).parts.slice(0, 3), 0, 0, 0, 0, 0])}/48`
  } catch {
    return ip
  }
}
