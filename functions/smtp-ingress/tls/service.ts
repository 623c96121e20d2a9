/**
 * The server's side of TLS: what a handshake is made with, and what is known after it. The attack: a client without
 * its certificate's key, whom a resumed session lets pass for the one who had it; a certificate that expired, or whose
 * chain nobody has seen, since a resumed session brings neither proof nor chain. The defence: who shows a certificate
 * proves it in every session. Tickets with a certificate in them are not honoured, which is found out from the client's
 * hello, before OpenSSL could; should one be honoured all the same, there are no facts of that session. Tickets are
 * for TLS 1.3 alone, whose sessions keep their secrets when the tickets' key is lost; in TLS 1.2 a ticket is the
 * session's secret (docs/decisions/0015-session-tickets.md).
 */
import { X509Certificate } from 'node:crypto'
import { createSecureContext, getCACertificates, type SecureContext, type TLSSocket } from 'node:tls'
import { dayMs } from '../../../shared/contract/durations.ts'
import type { TlsFacts } from '../../../shared/contract/message.ts'
import { RecentMap } from '../../../shared/limits/recent-map.ts'
import type { CertificatesAndKeys } from '../../../shared/tls/certificate-choice.ts'
import { tlsFacts } from '../../../shared/tls/facts.ts'
import { type ServerIdentity, serverIdentities } from '../../../shared/tls/server-identity.ts'
import { serverTlsOptions } from '../../../shared/tls/server-options.ts'
import { validTo } from '../../../shared/tls/validity.ts'
import { type ClientHello, readClientHello } from './client-hello.ts'
import { holdsCertificate, openTicket, periodOf, type TicketKeys, ticketKeysOf } from './tickets.ts'

export { type HandshakeFailure, handshakeFailure } from './failures.ts'

export interface TlsService {
  /** For a handshake whose beginning nobody looks at: a full one, with no tickets after it. */
  context(): SecureContext
  /**
   * For the handshake that a client begins.
   * @param hello all that the client has sent since the reply to STARTTLS
   * @returns null when more of it has to come, of which there are at most some 16 KiB
   */
  contextFor(hello: Buffer, address: string): SecureContext | null
  /**
   * From now on this address resumes no session. For one that was not asked for a certificate, since it resumed a
   * session without, where a connector wants one: it may have got one since, or have another client behind it.
   */
  refuseResumption(address: string): void
  /**
   * Of a finished handshake, to be read once.
   * @throws Error when nothing is certain; the session must end, and 421 says so
   */
  facts(socket: TLSSocket): TlsFacts
  /** When the first of our certificates does. */
  readonly expires: Date
  /**
   * From now on handshakes begin with these certificates; what has begun goes on. Sessions of before are not resumed,
   * since the keys of their tickets went with the private key: they take a full handshake.
   * @throws Error as createTlsService; the ones of before are served on
   */
  use(certificates: CertificatesAndKeys): void
}

/** PEM blocks of a key, or of one of each kind; the certificate of each key, and issuers. */
export interface TlsServiceOptions extends CertificatesAndKeys {
  now(): Date
  /** PEM; what client certificates are checked against. By default those that OpenSSL asks, too. */
  publicRoots?: readonly string[]
}

/** Addresses that resume nothing, and for how long. */
const mostRefused = 10_000
const refusedForMs = dayMs

/** Clients offer one or two. */
const mostTickets = 4

/** @throws Error in one line, naming what is wrong with key or certificate */
export function createTlsService(options: TlsServiceOptions): TlsService {
  return new Service(options)
}

class Service implements TlsService {
  readonly #options: TlsServiceOptions
  readonly #publicRoots: readonly string[]
  #served: Served
  #resumable: { period: number; keys: TicketKeys; context: SecureContext }
  /** Until when an address resumes nothing. */
  readonly #refused = new RecentMap<string, number>(mostRefused)

  constructor(options: TlsServiceOptions) {
    this.#options = options
    this.#publicRoots = options.publicRoots ?? getCACertificates()
    this.#served = this.#prepare(options)
    this.#resumable = this.#newPeriod(this.#served, periodOf(options.now()))
  }

  get expires(): Date {
    return this.#served.expires
  }

  use(certificates: CertificatesAndKeys): void {
    const served = this.#prepare(certificates)
    this.#resumable = this.#newPeriod(served, periodOf(this.#options.now()))
    this.#served = served
  }

  context(): SecureContext {
    return this.#served.full
  }

  contextFor(octets: Buffer, address: string): SecureContext | null {
    const hello = readClientHello(octets)
    if (hello === 'Incomplete') return null
    if (this.#isRefused(address)) return this.#served.full
    const { keys, context } = this.#current()
    return mayResume(hello, keys) ? context : this.#served.full
  }

  refuseResumption(address: string): void {
    this.#refused.set(address, this.#options.now().getTime() + refusedForMs)
  }

  facts(socket: TLSSocket): TlsFacts {
    if (socket.isSessionReused() && socket.getPeerX509Certificate())
      throw new Error('a session with a client certificate was resumed')
    return tlsFacts(viewOf(socket), { publicRoots: this.#publicRoots, at: this.#options.now() })
  }

  #isRefused(address: string): boolean {
    const until = this.#refused.get(address)
    return until !== undefined && this.#options.now().getTime() < until
  }

  /** Every task changes at the same instant; a session of the hour before takes a full handshake. */
  #current() {
    const period = periodOf(this.#options.now())
    if (period !== this.#resumable.period) this.#resumable = this.#newPeriod(this.#served, period)
    return this.#resumable
  }

  #newPeriod({ certificates, privateKeys }: Served, period: number) {
    const keys = ticketKeysOf(privateKeys, period)
    return { period, keys, context: this.#newContext(certificates, keys) }
  }

  #prepare({ privateKey, certificate }: CertificatesAndKeys): Served {
    const identities = serverIdentities(privateKey, certificate)
    const certificates = { privateKey, certificate }
    return {
      certificates,
      privateKeys: identities.map(({ key }) => key).sort(),
      expires: firstEnd(identities),
      full: this.#newContext(certificates, null),
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
      throw new Error(`TLS_CERTIFICATE and TLS_PRIVATE_KEY cannot be used: ${reason ?? message}`)
    }
  }
}

/** What handshakes are made with, until other certificates take its place. */
interface Served {
  certificates: CertificatesAndKeys
  /** PEM, in the order in which every task has them. */
  privateKeys: readonly string[]
  expires: Date
  full: SecureContext
}

function firstEnd(identities: readonly ServerIdentity[]): Date {
  const ends = identities.map(({ cert }) => validTo(new X509Certificate(cert)).getTime())
  return new Date(Math.min(...ends))
}

/** Whether it can be left to OpenSSL to resume what the client offers, and to give it tickets. */
function mayResume(hello: Exclude<ClientHello, 'Incomplete'>, keys: TicketKeys): boolean {
  if (hello === 'Unreadable' || !hello.isModern || hello.tickets.length > mostTickets) return false
  return !hello.tickets.some((ticket) => {
    const session = openTicket(ticket, keys)
    return session !== null && holdsCertificate(session)
  })
}

/** Of a socket that no tls.Server made, Node does not fill in what OpenSSL says of the certificate. */
function viewOf(socket: TLSSocket) {
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
