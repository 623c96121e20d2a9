/**
 * One connection to a name server by TLS (RFC 7858). The attack: somebody else answers at the server's address. The
 * defence: RFC 8310 §5, strict privacy: the certificate must come from a trusted authority and be for the configured
 * name, and no question is written before that is known; whatever fails, nothing is asked in the clear. The limit: who
 * can get a certificate for the name is believed; revocation is not checked.
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
  /** Once, unless it was `close` that ended it. `code` of the system or of the certificate's fault. */
  broken(code: string): void
}

export class TlsConnection {
  readonly #socket: TLSSocket
  /** Not written before the server is known to be the one. */
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
      // Nothing was asked yet, and nobody knows of whom.
      if (!this.isVerified) return end('EBADRESP')
      for (const each of frames.take(octets)) {
        // One message can be what ends it.
        if (this.#ended) return
        message(each)
      }
    })
    this.#socket = socket
  }

  /** Whether the server is known to be the one. */
  get isVerified(): boolean {
    return this.#waiting === null
  }

  send(query: Buffer): void {
    if (this.#waiting) this.#waiting.push(query)
    else this.#socket.write(frame(query))
  }

  /** Whether the process stays alive for it. */
  hold(held: boolean): void {
    if (held) this.#socket.ref()
    else this.#socket.unref()
  }

  close(): void {
    this.#ended = true
    this.#socket.destroy()
  }
}

/** RFC 8310 §8.1: alternative names of type dNSName only. */
function misnamed(expected: string, { subjectaltname }: PeerCertificate): Error | undefined {
  const subjectAltNames = dnsNames(subjectaltname ?? '')
  if (certificateHasName({ subjectAltNames, commonName: null }, [expected])) return undefined
  return Object.assign(new Error('another name'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}
