/**
 * HTTPS requests to a server named by an untrusted domain. The attack: the name resolves to an address in the
 * deployment's network or of a metadata service; another server answers; the server redirects, or never answers, or its
 * response never ends or is cut short. The defence: only public addresses and listed networks; the certificate is
 * verified for the name before an octet is sent; no redirects; no proxies from the environment; limits on time and
 * size. Not covered: an attacker who obtains a certificate for the name.
 */
import { connect, type TLSSocket } from 'node:tls'
import './peer-certificate.ts'
import { certificateHasName, dnsNames } from '../tls/names.ts'
import { cipherSuites, signatureAlgorithms } from '../tls/suites.ts'
import {
  destroyOnAbortOrTimeout,
  fetchFromAnyAddress,
  type UntrustedFailure,
  type UntrustedRequest,
  type UntrustedRequestLimits,
  type UntrustedRequestOptions,
  type UntrustedResponse,
} from './untrusted-request.ts'

const httpsPort = 443

/** Never throws. */
export const fetchUntrusted = (
  options: UntrustedRequestOptions,
  requestSpec: UntrustedRequest,
): Promise<UntrustedResponse> =>
  fetchFromAnyAddress(options, requestSpec, {
    connectTo: (address, signal) => connectVerified(address, requestSpec.host, options.limits, signal),
    allowBodyWithoutLength: false,
  })

/** @returns a socket that has sent no data yet, or the certificate's fault; rejects when the handshake fails */
function connectVerified(
  address: string,
  host: string,
  { idleTimeoutMs }: UntrustedRequestLimits,
  signal: AbortSignal,
): Promise<TLSSocket | UntrustedFailure> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port: httpsPort,
      servername: host,
      minVersion: 'TLSv1.2',
      ciphers: cipherSuites.join(':'),
      sigalgs: signatureAlgorithms,
      ALPNProtocols: ['http/1.1'],
      timeout: idleTimeoutMs,
      // Verified after the handshake, so that a bad certificate can be distinguished from a broken connection.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    })
    destroyOnAbortOrTimeout(socket, idleTimeoutMs, signal, reject)
    socket.on('close', () => reject(new Error('closed during the handshake')))
    socket.once('secureConnect', () => {
      const fault = findCertificateFault(socket, host)
      if (fault === null) return resolve(socket)
      socket.destroy()
      resolve({ kind: 'Failed', cause: 'Certificate', detail: `${host} (${address}): ${fault}` })
    })
  })
}

/** RFC 8461 §3.3: only subject alternative names of type dNSName are compared. */
function findCertificateFault(socket: TLSSocket, host: string): string | null {
  if (!socket.authorized) return `the certificate is not trusted: ${socket.authorizationError ?? 'UNKNOWN'}`
  const subjectAltNames = dnsNames(socket.getPeerX509Certificate()?.subjectAltName ?? '')
  if (certificateHasName({ subjectAltNames, commonName: null }, [host])) return null
  return `the certificate is for ${subjectAltNames.slice(0, 3).join(', ') || 'no name'}`
}
