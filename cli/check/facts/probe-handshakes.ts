/**
 * Tries handshakes that a delivery never makes: with deprecated versions and cipher suites, and with a request for a
 * stapled OCSP response. Attack: a server replies without end, or never. Defence: octets and time are bounded, and only
 * EHLO and STARTTLS are sent. Not covered: SSL 3, which OpenSSL has removed.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { toSingleLine } from '../../../shared/mail/peer-text.ts'
import type { Endpoint } from '../../../shared/net/smtp/connection.ts'
import { clientTlsOptions } from '../../../shared/net/tls-client.ts'
import { opportunistic } from '../../../shared/tls/requirement.ts'
import { ehloName } from './delivery-session.ts'
import type { Handshake } from './facts.ts'

interface ProbeOptions {
  readonly serverName: string | null
  /** Timeout of the whole attempt in milliseconds. */
  readonly timeout: number
}

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
async function performHandshake(
  { ip, port }: Endpoint,
  { serverName, timeout }: ProbeOptions,
  options: ConnectionOptions,
  observe: (socket: TLSSocket) => void,
): Promise<Handshake & { kind: 'Done' }> {
  const socket = connect({ host: ip, port })
  // The listener stays: an error between two steps must not crash the process.
  socket.on('error', () => {})
  const timer = setTimeout(
    () => socket.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })),
    timeout,
  )
  try {
    await startTls(socket)
    const tls = connectTls({
      ...options,
      socket,
      rejectUnauthorized: false,
      ...(serverName !== null && { servername: serverName }),
    })
    tls.on('error', () => {})
    observe(tls)
    await Promise.race([once(tls, 'secureConnect'), rejectOnClose(tls), rejectOnClose(socket)])
    const handshake = {
      kind: 'Done',
      protocol: tls.getProtocol() ?? '',
      cipher: tls.getCipher().standardName,
    } as const
    tls.destroy()
    return handshake
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

async function startTls(socket: Socket): Promise<void> {
  await Promise.race([once(socket, 'connect'), rejectOnClose(socket)])
  for (const command of [null, `EHLO ${ehloName()}`, 'STARTTLS']) {
    if (command !== null) socket.write(`${command}\r\n`)
    const reply = await Promise.race([replyFrom(socket), rejectOnClose(socket)])
    if (!/^2/.test(reply)) throw new Error(toSingleLine(reply, 100))
  }
}

const maxReplyOctets = 16_384

/** Returns the last line of a reply (RFC 5321 §4.2.1). Ignores octets after the reply. */
async function replyFrom(socket: Socket): Promise<string> {
  let text = ''
  for (;;) {
    const [last] = /^\d{3}(?: .*)?(?=\r?\n)/m.exec(text) ?? []
    if (last !== undefined) return last
    if (text.length > maxReplyOctets) throw new Error('the reply is too long')
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    text += chunk.toString('latin1')
  }
}

/** Rejects when the connection ends, with its error if there is one. */
function rejectOnClose(socket: Socket): Promise<never> {
  return new Promise((_, reject) => {
    const onClose = () => reject(socket.errored ?? Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
    if (socket.closed) onClose()
    else socket.once('close', onClose)
  })
}
