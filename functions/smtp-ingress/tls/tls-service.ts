/**
 * Server side of TLS: contexts for handshakes, and facts about sessions. A resumption contains neither the proof that
 * the client holds its certificate's key, nor the chain. The attack: a client without the key resumes another client's
 * session; or the certificate of a resumed session has expired, or its chain was never checked. The defence: a client
 * proves in every session that it holds the key. The server reads the ClientHello before OpenSSL does, and does not
 * resume from a ticket that contains a certificate. If such a session is resumed nevertheless, `facts` throws. Only TLS
 * 1.3 gets tickets: a TLS 1.2 ticket contains the session's secret, while TLS 1.3 sessions stay secret even if the
 * ticket key leaks (docs/decisions/0015-session-tickets.md).
 */
import { X509Certificate } from 'node:crypto'
import { createSecureContext, getCACertificates, type SecureContext, type TLSSocket } from 'node:tls'
import { dayMs } from '../../../shared/contract/durations.ts'
import type { TlsFacts } from '../../../shared/contract/message.ts'
import { RecentMap } from '../../../shared/limits/recent-map.ts'
import type { CertificatesAndKeys } from '../../../shared/tls/certificate-choice.ts'
import { readTlsFacts } from '../../../shared/tls/facts.ts'
import { type ServerIdentity, serverIdentities } from '../../../shared/tls/server-identity.ts'
import { serverTlsOptions } from '../../../shared/tls/server-options.ts'
import { validTo } from '../../../shared/tls/validity.ts'
import { type ClientHello, readClientHello } from './client-hello.ts'
import {
  deriveTicketKeys,
  holdsCertificate,
  openTicket,
  periodOf,
  type TicketKeys,
} from './session-tickets.ts'

export { classifyHandshakeFailure as handshakeFailure, type HandshakeFailure } from './handshake-failure.ts'

export interface TlsService {
  /** The context for a full handshake without tickets, whatever the ClientHello contains. */
  fullContext(): SecureContext
  /**
   * Selects the context for the handshake that a client begins.
   * @param hello all octets that the client has sent since the reply to STARTTLS
   * @returns null when more octets are needed; never null after about 16 KiB
   */
  contextForHello(hello: Buffer, address: string): SecureContext | null
  /**
   * Stops resumption for this address for a day. Used when a certificate might change a decision, but the client
   * resumed a session without a certificate: in a full handshake it may present one.
   */
  refuseResumption(address: string): void
  /**
   * The facts of a finished handshake; must be called once.
   * @throws Error when they cannot be determined; the session must then end with 421
   */
  facts(socket: TLSSocket): TlsFacts
  /** When the first of the served certificates expires. */
  readonly expiresAt: Date
  /**
   * Uses these certificates for new handshakes; open sessions continue. Tickets from before a change of the private key
   * become invalid, because ticket keys derive from the private key.
   * @throws Error: see `createTlsService`; the previous certificates then stay
   */
  use(certificates: CertificatesAndKeys): void
}

/** `privateKey` and `certificate` are PEM: a key for each algorithm; the certificate of each key, and issuers. */
export interface TlsServiceOptions extends CertificatesAndKeys {
  now(): Date
  /** PEM; trust anchors for client certificates. Default: the CA certificates that Node uses by default. */
  publicRoots?: readonly string[]
}

/** Maximum of addresses without resumption, and milliseconds until an address may resume again. */
const maxRefusedAddresses = 10_000
const resumptionRefusalMs = dayMs

/** Real clients offer one or two tickets. */
const maxTickets = 4

/** @throws Error in one line, naming the fault of key or certificate */
export function createTlsService(options: TlsServiceOptions): TlsService {
  return new Service(options)
}

class Service implements TlsService {
  readonly #options: TlsServiceOptions
  readonly #publicRoots: readonly string[]
  #active: ActiveContexts
  #resumption: { period: number; keys: TicketKeys; context: SecureContext }
  /** Milliseconds since 1970 until which an address may not resume. */
  readonly #refusedAddresses = new RecentMap<string, number>(maxRefusedAddresses)

  constructor(options: TlsServiceOptions) {
    this.#options = options
    this.#publicRoots = options.publicRoots ?? getCACertificates()
    this.#active = this.#createContexts(options)
    this.#resumption = this.#startPeriod(this.#active, periodOf(options.now()))
  }

  get expiresAt(): Date {
    return this.#active.expires
  }

  use(certificates: CertificatesAndKeys): void {
    const active = this.#createContexts(certificates)
    this.#resumption = this.#startPeriod(active, periodOf(this.#options.now()))
    this.#active = active
  }

  fullContext(): SecureContext {
    return this.#active.fullContext
  }

  contextForHello(octets: Buffer, address: string): SecureContext | null {
    const hello = readClientHello(octets)
    if (hello === 'Incomplete') return null
    if (this.#isRefused(address)) return this.#active.fullContext
    const { keys, context } = this.#currentPeriod()
    return canResume(hello, keys) ? context : this.#active.fullContext
  }

  refuseResumption(address: string): void {
    this.#refusedAddresses.set(address, this.#options.now().getTime() + resumptionRefusalMs)
  }

  facts(socket: TLSSocket): TlsFacts {
    if (socket.isSessionReused() && socket.getPeerX509Certificate())
      throw new Error('a session with a client certificate was resumed')
    return readTlsFacts(tlsSocketView(socket), { publicRoots: this.#publicRoots, at: this.#options.now() })
  }

  #isRefused(address: string): boolean {
    const until = this.#refusedAddresses.get(address)
    return until !== undefined && this.#options.now().getTime() < until
  }

  /** All tasks change keys at the same time; a ticket of the previous hour leads to a full handshake. */
  #currentPeriod() {
    const period = periodOf(this.#options.now())
    if (period !== this.#resumption.period) this.#resumption = this.#startPeriod(this.#active, period)
    return this.#resumption
  }

  #startPeriod({ certificates, privateKeys }: ActiveContexts, period: number) {
    const keys = deriveTicketKeys(privateKeys, period)
    return { period, keys, context: this.#newContext(certificates, keys) }
  }

  #createContexts({ privateKey, certificate }: CertificatesAndKeys): ActiveContexts {
    const identities = serverIdentities(privateKey, certificate)
    const certificates = { privateKey, certificate }
    return {
      certificates,
      privateKeys: identities.map(({ key }) => key).sort(),
      expires: earliestExpiry(identities),
      fullContext: this.#newContext(certificates, null),
    }
  }

  #newContext(
    { privateKey, certificate }: CertificatesAndKeys,
    ticketKeys: TicketKeys | null,
  ): SecureContext {
    const { publicRoots } = this.#options
    try {
      return createSecureContext({
        ...serverTlsOptions(privateKey, certificate, ticketKeys),
        ...(publicRoots && { ca: [...publicRoots] }),
      })
    } catch (error) {
      const { reason, message } = error as Error & { reason?: string }
      throw new Error(`TLS certificate and private key cannot be used: ${reason ?? message}`)
    }
  }
}

/** Contexts of the certificates in use. */
interface ActiveContexts {
  certificates: CertificatesAndKeys
  /** PEM, in the same order in all tasks. */
  privateKeys: readonly string[]
  expires: Date
  fullContext: SecureContext
}

function earliestExpiry(identities: readonly ServerIdentity[]): Date {
  const expiryTimes = identities.map(({ cert }) => validTo(new X509Certificate(cert)).getTime())
  return new Date(Math.min(...expiryTimes))
}

/** Whether OpenSSL may resume one of the offered sessions and issue tickets. */
function canResume(hello: Exclude<ClientHello, 'Incomplete'>, keys: TicketKeys): boolean {
  if (hello === 'Unreadable' || !hello.supportsTls13 || hello.tickets.length > maxTickets) return false
  return !hello.tickets.some((ticket) => {
    const session = openTicket(ticket, keys)
    return session !== null && holdsCertificate(session)
  })
}

/** On the server side, Node sets `authorized` only for sockets of a tls.Server. So this reads OpenSSL's result. */
function tlsSocketView(socket: TLSSocket) {
  const { ssl } = socket as TLSSocket & { ssl: { verifyError(): { code: string } | null | undefined } }
  const fault = ssl.verifyError()
  return {
    getProtocol: () => socket.getProtocol(),
    getCipher: () => socket.getCipher(),
    getPeerX509Certificate: () => socket.getPeerX509Certificate(),
    servername: socket.servername,
    authorized: !fault,
    authorizationError: fault?.code as unknown as Error,
  }
}
