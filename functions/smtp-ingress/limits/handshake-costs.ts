/**
 * Limits the processor time of TLS handshakes. The attack: a client presents a long chain of certificates whose keys
 * are expensive to verify, which costs a hundred times an ordinary handshake. OpenSSL verifies the chain before Node.js
 * can look at it. The defence: the octets of a handshake are limited; the time is counted for the address and its
 * network; and a client that was expensive is not asked for a certificate for a while, which doubles each time. Not
 * covered: each new address can cause one expensive handshake, and a client with many addresses can cause ordinary
 * handshakes up to its connection rates, which costs more.
 */
import ipaddr from 'ipaddr.js'
import { hourMs, minuteMs } from '../../../shared/contract/durations.ts'
import { BoundedMap } from './bounded-map.ts'
import { clientNetwork } from './client-network.ts'

/**
 * Octets from a client until the end of its handshake. Six certificates with 4096-bit keys and many names need about
 * twelve thousand.
 */
export const maxHandshakeOctets = 16_384

/** Milliseconds of the processor for one handshake; an ordinary one takes three. */
const maxHandshakeMs = 25
/** After the first expensive handshake; then twice as long each time, up to an hour. A busy task may measure wrongly. */
const firstPenaltyMs = minuteMs
/** Milliseconds of the processor per minute for the handshakes of an address, and of a network. */
const maxAddressMsPerMinute = 2_000
const maxNetworkMsPerMinute = 6_000

const maxClients = 65_536

/**
 * How a handshake is done. `Measured`: its octets and time are counted. `Direct`: without counting, for a client whose
 * measured handshakes were cheap; it costs less. `WithoutRequest`: the client is not asked for a certificate.
 */
export type HandshakeMode = 'Measured' | 'Direct' | 'WithoutRequest'

interface Client {
  /** Times of a monotonic clock. */
  minuteStart: number
  msInMinute: number
  cheapUntil: number
  expensiveUntil: number
  /** The next time without a request for a certificate. */
  penaltyMs: number
}

export class HandshakeCosts {
  readonly #now: () => number
  readonly #addresses: BoundedMap<Client>
  readonly #networks: BoundedMap<Client>

  /** @param now milliseconds of a monotonic clock */
  constructor(now = () => performance.now()) {
    this.#now = now
    this.#addresses = new BoundedMap({ maxKeys: maxClients, maxAgeMs: hourMs, now })
    this.#networks = new BoundedMap({ maxKeys: maxClients, maxAgeMs: hourMs, now })
  }

  modeFor(address: string): HandshakeMode {
    const now = this.#now()
    const client = this.#addresses.get(clientNetwork(address))
    const network = this.#networks.get(widerNetwork(address))
    if (now < (client?.expensiveUntil ?? 0) || now < (network?.expensiveUntil ?? 0)) return 'WithoutRequest'
    return now < (client?.cheapUntil ?? 0) ? 'Direct' : 'Measured'
  }

  /**
   * Records a handshake with a request for a certificate, whether it succeeded or not.
   * @param ms processor time; null when it was not measured
   */
  record(address: string, octets: number, ms: number | null): void {
    const now = this.#now()
    const client = this.#addresses.getOrCreate(clientNetwork(address), newClient)
    const network = this.#networks.getOrCreate(widerNetwork(address), newClient)
    addTime(client, ms ?? 0, now)
    addTime(network, ms ?? 0, now)
    const isExpensive = octets > maxHandshakeOctets || (ms ?? 0) > maxHandshakeMs
    if (isExpensive || client.msInMinute > maxAddressMsPerMinute) penalise(client, now)
    else if (ms !== null) client.cheapUntil = now + hourMs
    if (network.msInMinute > maxNetworkMsPerMinute) penalise(network, now)
  }
}

const newClient = (): Client => ({
  minuteStart: Number.NEGATIVE_INFINITY,
  msInMinute: 0,
  cheapUntil: 0,
  expensiveUntil: 0,
  penaltyMs: firstPenaltyMs,
})

function penalise(client: Client, now: number): void {
  client.cheapUntil = 0
  client.expensiveUntil = now + client.penaltyMs
  client.penaltyMs = Math.min(2 * client.penaltyMs, hourMs)
}

function addTime(client: Client, ms: number, now: number): void {
  if (now - client.minuteStart >= minuteMs) {
    client.minuteStart = now
    client.msInMinute = 0
  }
  client.msInMinute += ms
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
