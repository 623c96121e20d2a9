/**
 * One connection to a name server over TLS (RFC 7858). The attack: another server answers at the address. The defence
 * is strict privacy (RFC 8310 §5): the certificate must be issued by a trusted CA for the configured name. No query is
 * sent before the certificate is verified, and none in the clear. Not covered: an attacker who obtains a certificate
 * for the name; revocation is not checked.
 */
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import '../peer-certificate.ts'
import { certificateHasName, dnsNames } from '../../tls/names.ts'
import { cipherSuites, signatureAlgorithms } from '../../tls/suites.ts'
import { encodeFrame, FrameReader } from './frames.ts'

export interface TlsServer {
  ip: string
  port: number
  tlsName: string
}

export interface ConnectionEvents {
  onMessage(octets: Buffer): void
  /**
   * Called at most once, and never after `close`. `code`: an error code of the system, or of the certificate's fault.
   */
  onBroken(code: string): void
}

export class TlsConnection {
  readonly #socket: TLSSocket
  /** Queries that wait until the server's certificate is verified; null once it is verified. */
  #unsentQueries: Buffer[] | null = []
  #isClosed = false

  constructor({ ip, port, tlsName }: TlsServer, { onMessage, onBroken }: ConnectionEvents) {
    const socket = connect({
      host: ip,
      port,
      servername: tlsName,
      minVersion: 'TLSv1.2',
      ciphers: cipherSuites.join(':'),
      sigalgs: signatureAlgorithms,
      rejectUnauthorized: true,
      checkServerIdentity: (_, certificate) => checkCertificateName(tlsName, certificate),
    })
    const end = (code: string) => {
      if (this.#isClosed) return
      this.close()
      onBroken(code)
    }
    const frames = new FrameReader()
    socket.setNoDelay(true)
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'UNKNOWN'))
    socket.on('close', () => end('ECONNRESET'))
    socket.on('end', () => end('ECONNRESET'))
    socket.on('secureConnect', () => {
      if (this.#isClosed) return
      for (const query of this.#unsentQueries ?? []) socket.write(encodeFrame(query))
      this.#unsentQueries = null
    })
    socket.on('data', (octets: Buffer) => {
      // No query is sent to a server before it is verified, so its data cannot be a reply.
      if (!this.isVerified) return end('EBADRESP')
      for (const message of frames.read(octets)) {
        // The handler of a message may have closed the connection.
        if (this.#isClosed) return
        onMessage(message)
      }
    })
    this.#socket = socket
  }

  /** Whether the server's certificate is verified. */
  get isVerified(): boolean {
    return this.#unsentQueries === null
  }

  send(query: Buffer): void {
    if (this.#unsentQueries) this.#unsentQueries.push(query)
    else this.#socket.write(encodeFrame(query))
  }

  /** @param isKept whether the connection keeps the process alive */
  keepProcessAlive(isKept: boolean): void {
    if (isKept) this.#socket.ref()
    else this.#socket.unref()
  }

  close(): void {
    this.#isClosed = true
    this.#socket.destroy()
  }
}

/** RFC 8310 §8.1: only subject alternative names of type dNSName are compared. */
function checkCertificateName(expected: string, { subjectaltname }: PeerCertificate): Error | undefined {
  const subjectAltNames = dnsNames(subjectaltname ?? '')
  if (certificateHasName({ subjectAltNames, commonName: null }, [expected])) return undefined
  return Object.assign(new Error('another name'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}
