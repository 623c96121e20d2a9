/**
 * Tries handshakes that a delivery never makes: with deprecated versions and cipher suites, and with a request for a
 * stapled OCSP response. Attack: a server replies without end, or never. Defence: octets and time are bounded, and only
 * EHLO and STARTTLS are sent. Not covered: SSL 3, which OpenSSL has removed.
 */
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { type ProbeOptions, withTls } from '../../../shared/conformance/starttls.ts'
import { toSingleLine } from '../../../shared/mail/peer-text.ts'
import type { Endpoint } from '../../../shared/net/smtp/connection.ts'
import { clientTlsOptions } from '../../../shared/net/tls-client.ts'
import { opportunistic } from '../../../shared/tls/requirement.ts'
import type { Handshake } from './facts.ts'

const anyCipher = 'ALL:@SECLEVEL=0'

/** Tests whether the server accepts TLS 1.0 or 1.1. */
export const probeLegacyTls = (endpoint: Endpoint, probe: ProbeOptions): Promise<Handshake> =>
  tryHandshake(endpoint, probe, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: anyCipher })

/** Offers TLS 1.0 and later with every cipher suite of OpenSSL, and returns what the server selects. */
export const connectAnyVersion = (endpoint: Endpoint, probe: ProbeOptions): Promise<Handshake> =>
  tryHandshake(endpoint, probe, { minVersion: 'TLSv1', ciphers: anyCipher })

/** Returns the stapled OCSP response, DER; null when the server staples none. Never throws. */
export async function requestStaple(endpoint: Endpoint, probe: ProbeOptions): Promise<Buffer | null> {
  let staple: Buffer | null = null
  const defaultOptions = clientTlsOptions(opportunistic, [], null)
  await performHandshake(endpoint, probe, { ...defaultOptions, requestOCSP: true }, (socket) => {
    socket.once('OCSPResponse', (response) => {
      staple = response
    })
  }).catch(() => {})
  return staple
}

async function tryHandshake(
  endpoint: Endpoint,
  probe: ProbeOptions,
  options: ConnectionOptions,
): Promise<Handshake> {
  let hasStarted = false
  try {
    return await performHandshake(endpoint, probe, options, () => {
      hasStarted = true
    })
  } catch (error) {
    const cause = causeOf(error)
    // A timeout does not show which versions the server accepts.
    return hasStarted && cause !== 'ETIMEDOUT' ? { kind: 'Refused', cause } : { kind: 'NotTested', cause }
  }
}

const causeOf = (error: unknown): string => {
  const { code, message } = error as { code?: string; message?: string }
  return toSingleLine(code ?? message ?? String(error), 100)
}

/** @param observe called with the socket before its handshake */
function performHandshake(
  endpoint: Endpoint,
  probe: ProbeOptions,
  options: ConnectionOptions,
  observe: (socket: TLSSocket) => void,
): Promise<Handshake & { kind: 'Done' }> {
  return withTls(endpoint, probe, options, observe, async (tls) => ({
    kind: 'Done',
    protocol: tls.getProtocol() ?? '',
    cipher: tls.getCipher().standardName,
  }))
}
