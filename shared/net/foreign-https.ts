/**
 * A request to a web server that a stranger's domain names. The attack: the name leads into our own network or to a
 * metadata service; the server is not the one that the name means; it redirects, never ends, or never answers; its answer
 * is cut short on the way. The defence: only public addresses, or those in networks the deployment lists, are connected
 * to; the certificate is verified for the name before an octet is sent; nothing is followed; time and size are bounded.
 * Proxies of the environment are not used. The limit: whoever can get a certificate for the name is believed.
 */
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect, type TLSSocket } from 'node:tls'
import { inOneLine } from '../mail/peer-words.ts'
import { dnsNames } from '../tls/facts.ts'
import { certificateHasName } from '../tls/names.ts'
import { cipherSuites } from '../tls/suites.ts'
import { addressFilter } from './address-filter.ts'
import type { Resolver } from './resolver.ts'

export interface ForeignRequest {
  /** In comparable form; port 443. */
  host: string
  path: string
  method: 'GET' | 'POST'
  headers?: Readonly<Record<string, string>>
  body?: Buffer
}

export interface ForeignHttpsOptions {
  resolver: Resolver
  /** CIDRs that a name may lead into although they are not public. */
  privateNetworks: readonly string[]
  limits: ForeignLimits
}

export interface ForeignLimits {
  /** Milliseconds in all, and of silence. */
  whole: number
  silence: number
  /** Octets of the answer's body. */
  body: number
}

export type ForeignAnswer =
  /** Whatever the status; `contentType` without parameters, in lower case. */
  | { kind: 'Answered'; status: number; contentType: string; body: Buffer }
  /** `detail`: for people; may quote the server. */
  | { kind: 'Failed'; cause: 'NoAnswer' | 'Certificate'; detail: string }

const httpsPort = 443
/** Of each family, IPv4 first. */
const mostAddresses = 2
/** Octets. */
const mostHeaders = 16_384

/** Never throws. */
export async function askForeign(
  { resolver, privateNetworks, limits }: ForeignHttpsOptions,
  asked: ForeignRequest,
): Promise<ForeignAnswer> {
  const signal = AbortSignal.timeout(limits.whole)
  const found = await addressesOf(asked.host, resolver, privateNetworks, signal)
  if ('kind' in found) return found
  let last = noAnswer(`${asked.host} has no address`)
  for (const address of found) {
    const answer = await askAt(address, asked, limits, signal)
    // Whoever was reached has answered for all.
    if (answer.kind === 'Answered' || answer.cause === 'Certificate' || signal.aborted) return answer
    last = answer
  }
  return last
}

async function addressesOf(
  host: string,
  resolver: Resolver,
  privateNetworks: readonly string[],
  signal: AbortSignal,
): Promise<string[] | ForeignAnswer> {
  const answers = await Promise.all([resolver.ask(host, 'A', signal), resolver.ask(host, 'AAAA', signal)])
  const all = answers.map((answer) => (answer.kind === 'Found' ? answer.records : []))
  const allowed = all.map((some) => some.filter(addressFilter(privateNetworks)).slice(0, mostAddresses))
  if (allowed.flat().length > 0) return allowed.flat()
  if (all.flat().length > 0) return noAnswer(`${host} has no address that may be used`)
  const failed = answers.find((answer) => answer.kind === 'Failed')
  return noAnswer(
    failed ? `DNS failed for the addresses of ${host}: ${failed.code}` : `${host} has no address`,
  )
}

async function askAt(
  address: string,
  asked: ForeignRequest,
  limits: ForeignLimits,
  signal: AbortSignal,
): Promise<ForeignAnswer> {
  try {
    const socket = await openVerified(address, asked.host, limits, signal)
    if ('kind' in socket) return socket
    try {
      return await exchange(socket, asked, limits, signal)
    } catch (error) {
      // What HTTP says of a connection that was cut does not tell by whom.
      throw socket.errored ?? error
    } finally {
      socket.destroy()
    }
  } catch (error) {
    return noAnswer(`${asked.host} (${address}): ${whyFailed(error, limits, signal)}`)
  }
}

/** @returns a socket on which nothing was sent yet, or what is wrong with its certificate; rejects without TLS */
function openVerified(
  address: string,
  host: string,
  { silence }: ForeignLimits,
  signal: AbortSignal,
): Promise<TLSSocket | ForeignAnswer> {
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
    const abort = () => socket.destroy(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    socket.on('close', () => signal.removeEventListener('abort', abort))
    socket.on('timeout', () => socket.destroy(silentFor(silence)))
    // The listener stays: an error that comes between two steps must not be nobody's.
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed during the handshake')))
    socket.once('secureConnect', () => {
      const fault = certificateFault(socket, host)
      if (fault === null) return resolve(socket)
      socket.destroy()
      resolve({ kind: 'Failed', cause: 'Certificate', detail: `${host} (${address}): ${fault}` })
    })
    if (signal.aborted) abort()
  })
}

/** RFC 8461 §3.3: alternative names of type dNSName only. */
function certificateFault(socket: TLSSocket, host: string): string | null {
  if (!socket.authorized) return `the certificate is not trusted: ${socket.authorizationError ?? 'UNKNOWN'}`
  const subjectAltNames = dnsNames(socket.getPeerX509Certificate()?.subjectAltName ?? '')
  if (certificateHasName({ subjectAltNames, commonName: null }, [host])) return null
  return `the certificate is for ${subjectAltNames.slice(0, 3).join(', ') || 'no name'}`
}

/** Rejects when the server does not answer by HTTP, in time and within bounds. */
async function exchange(
  socket: TLSSocket,
  asked: ForeignRequest,
  limits: ForeignLimits,
  signal: AbortSignal,
): Promise<ForeignAnswer> {
  const response = await respond(
    request({
      method: asked.method,
      path: asked.path,
      headers: { ...asked.headers, Host: asked.host, Connection: 'close' },
      createConnection: () => socket,
      maxHeaderSize: mostHeaders,
      signal,
    }),
    asked.body,
  )
  const [contentType = ''] = (response.headers['content-type'] ?? '').split(';')
  return {
    kind: 'Answered',
    status: response.statusCode ?? 0,
    contentType: contentType.trim().toLowerCase(),
    body: await bodyOf(response, limits.body),
  }
}

function respond(sent: ClientRequest, body: Buffer | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.on('error', reject)
    sent.once('upgrade', () => reject(new Error('it wants another protocol')))
    sent.once('response', resolve)
    sent.end(body)
  })
}

/**
 * A body that ends with the connection is refused: whoever cuts the connection would say where it ends, since Node does
 * not tell TLS's own end of it from any other (RFC 9112 §8).
 */
async function bodyOf(response: IncomingMessage, most: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  const { 'content-length': stated, 'transfer-encoding': coding } = response.headers
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > most) throw new Error(`the answer is larger than ${most} octets`)
    if (stated === undefined && coding === undefined) throw new Error('the answer does not say where it ends')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const silentFor = (silence: number) => new Error(`no answer within ${silence / 1000} s`)

function whyFailed(error: unknown, { whole }: ForeignLimits, signal: AbortSignal): string {
  if (signal.aborted) return `not done within ${whole / 1000} s`
  const { code, message } = error as Error & { code?: string }
  return inOneLine(message || (code ?? 'failed'), 150)
}

const noAnswer = (detail: string): ForeignAnswer & { kind: 'Failed' } => ({
  kind: 'Failed',
  cause: 'NoAnswer',
  detail,
})
