/**
 * HTTPS requests to a server named by an untrusted domain. The attack: the name leads into the deployment's network or
 * to a metadata service; another server answers; it redirects, never ends or never answers; the response
 * is cut short. The defence: only public addresses and listed networks; the certificate is verified for the name before
 * an octet is sent; no redirects; no proxies from the environment; limits on time and size. The limit: an attacker who
 * gets a certificate for the name is trusted.
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

/** @returns a socket that has sent no data yet, or the certificate's fault; rejects when the handshake fails */
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
      // Verified after the handshake, so that a bad certificate differs from a broken connection.
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

/** RFC 8461 §3.3: only subject alternative names of type dNSName count. */
function certificateFault(socket: TLSSocket, host: string): string | null {
  if (!socket.authorized) return `the certificate is not trusted: ${socket.authorizationError ?? 'UNKNOWN'}`
  const subjectAltNames = dnsNames(socket.getPeerX509Certificate()?.subjectAltName ?? '')
  if (certificateHasName({ subjectAltNames, commonName: null }, [host])) return null
  return `the certificate is for ${subjectAltNames.slice(0, 3).join(', ') || 'no name'}`
}
