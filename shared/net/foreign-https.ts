/**
 * A request to a web server that a stranger's domain names. The attack: the name leads into our own network or to a
 * metadata service; the server is not the one that the name means; it redirects, never ends, or never answers; its answer
 * is cut short on the way. The defence: only public addresses, or those in networks the deployment lists, are connected
 * to; the certificate is verified for the name before an octet is sent; nothing is followed; time and size are bounded.
 * Proxies of the environment are not used. The limit: whoever can get a certificate for the name is believed.
 */
import { connect, type TLSSocket } from 'node:tls'
import { dnsNames } from '../tls/facts.ts'
import { certificateHasName } from '../tls/names.ts'
import { cipherSuites } from '../tls/suites.ts'
import {
  askAnyAddress,
  type ForeignAnswer,
  type ForeignFailure,
  type ForeignLimits,
  type ForeignOptions,
  type ForeignRequest,
  guard,
} from './foreign-exchange.ts'

const httpsPort = 443

/** Never throws. */
export const askForeign = (options: ForeignOptions, asked: ForeignRequest): Promise<ForeignAnswer> =>
  askAnyAddress(options, asked, {
    open: (address, signal) => openVerified(address, asked.host, options.limits, signal),
    endsWithConnection: false,
  })

/** @returns a socket on which nothing was sent yet, or what is wrong with its certificate; rejects without TLS */
function openVerified(
  address: string,
  host: string,
  { silence }: ForeignLimits,
  signal: AbortSignal,
): Promise<TLSSocket | ForeignFailure> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port: httpsPort,
      servername: host,
      minVersion: 'TLSv1.2',
      ciphers: cipherSuites.join(':'),
      ALPNProtocols: ['http/1.1'],
      timeout: silence,
      // Judged below, so that a bad certificate is told from a connection that broke.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    })
    guard(socket, silence, signal, reject)
    socket.on('close', () => reject(new Error('closed during the handshake')))
    socket.once('secureConnect', () => {
      const fault = certificateFault(socket, host)
      if (fault === null) return resolve(socket)
      socket.destroy()
      resolve({ kind: 'Failed', cause: 'Certificate', detail: `${host} (${address}): ${fault}` })
    })
  })
}

/** RFC 8461 §3.3: alternative names of type dNSName only. */
function certificateFault(socket: TLSSocket, host: string): string | null {
  if (!socket.authorized) return `the certificate is not trusted: ${socket.authorizationError ?? 'UNKNOWN'}`
  const subjectAltNames = dnsNames(socket.getPeerX509Certificate()?.subjectAltName ?? '')
  if (certificateHasName({ subjectAltNames, commonName: null }, [host])) return null
  return `the certificate is for ${subjectAltNames.slice(0, 3).join(', ') || 'no name'}`
}
