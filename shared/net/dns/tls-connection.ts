/**
 * One connection to a name server over TLS (RFC 7858). The attack: another server answers at the address. The defence
 * is strict privacy (RFC 8310 §5): the certificate must be issued by a trusted CA for the configured name. No query is
 * sent before that is verified, and none in the clear. The limit: an attacker who gets a certificate for the name is
 * trusted; revocation is not checked.
 */
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { dnsNames } from '../../tls/facts.ts'
import { certificateHasName } from '../../tls/names.ts'
import { cipherSuites } from '../../tls/suites.ts'
import { Frames, frame } from './frames.ts'

export interface TlsServer {
  ip: string
  port: number
  tlsName: string
}

export interface ConnectionEvents {
  message(octets: Buffer): void
  /** Called once, except after `close`. `code` is that of the system or of the certificate's fault. */
  broken(code: string): void
}

export class TlsConnection {
  readonly #socket: TLSSocket
  /** Queries to send after the server is verified; null from then on. */
  #waiting: Buffer[] | null = []
  #ended = false

  constructor({ ip, port, tlsName }: TlsServer, { message, broken }: ConnectionEvents) {
    const socket = connect({
      host: ip,
      port,
      servername: tlsName,
      minVersion: 'TLSv1.2',
      ciphers: cipherSuites.join(':'),
      rejectUnauthorized: true,
      checkServerIdentity: (_, certificate) => misnamed(tlsName, certificate),
    })
    const end = (code: string) => {
      if (this.#ended) return
      this.close()
      broken(code)
    }
    const frames = new Frames()
    socket.setNoDelay(true)
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'UNKNOWN'))
    socket.on('close', () => end('ECONNRESET'))
    socket.on('end', () => end('ECONNRESET'))
    socket.on('secureConnect', () => {
      if (this.#ended) return
      for (const query of this.#waiting ?? []) socket.write(frame(query))
      this.#waiting = null
    })
    socket.on('data', (octets: Buffer) => {
      // No query was sent yet, and the server is not verified.
      if (!this.isVerified) return end('EBADRESP')
      for (const each of frames.take(octets)) {
        // The handler of a message may have closed the connection.
        if (this.#ended) return
        message(each)
      }
    })
    this.#socket = socket
  }

  /** Whether the server's certificate is verified. */
  get isVerified(): boolean {
    return this.#waiting === null
  }

  send(query: Buffer): void {
    if (this.#waiting) this.#waiting.push(query)
    else this.#socket.write(frame(query))
  }

  /** @param held whether the connection keeps the process alive */
  hold(held: boolean): void {
    if (held) this.#socket.ref()
    else this.#socket.unref()
  }

  close(): void {
    this.#ended = true
    this.#socket.destroy()
  }
}

/** RFC 8310 §8.1: only subject alternative names of type dNSName count. */
function misnamed(expected: string, { subjectaltname }: PeerCertificate): Error | undefined {
  const subjectAltNames = dnsNames(subjectaltname ?? '')
  if (certificateHasName({ subjectAltNames, commonName: null }, [expected])) return undefined
  return Object.assign(new Error('another name'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}
