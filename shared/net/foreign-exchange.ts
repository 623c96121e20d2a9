/**
 * HTTP requests to untrusted servers, with TLS or in the clear: the SSRF guard on addresses, and the limits on time and
 * size.
 */
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { isIP, type Socket } from 'node:net'
import { inOneLine } from '../mail/peer-words.ts'
import { createAddressFilter } from './address-filter.ts'
import type { Resolver } from './resolver.ts'

export interface ForeignRequest {
  /** In comparable form, or an IP address. */
  host: string
  path: string
  method: 'GET' | 'POST'
  headers?: Readonly<Record<string, string>>
  body?: Buffer
}

export interface ForeignOptions {
  resolver: Resolver
  /** CIDRs of private networks to which a name may resolve. */
  privateNetworks: readonly string[]
  limits: ForeignLimits
  /** Cancels the request. */
  signal?: AbortSignal
}

export interface ForeignLimits {
  /** Milliseconds in total, and milliseconds without data. */
  whole: number
  silence: number
  /** Octets of the response body. */
  body: number
}

export type ForeignAnswer =
  /** Any status. `contentType` is in lower case, without parameters. */
  { kind: 'Answered'; status: number; contentType: string; body: Buffer } | ForeignFailure

/** `detail`: for people; may quote the server. */
export interface ForeignFailure {
  kind: 'Failed'
  cause: 'NoAnswer' | 'Certificate'
  detail: string
}

export interface Opening {
  /** Rejects when no connection is established. */
  open(address: string, signal: AbortSignal): Promise<Socket | ForeignFailure>
  /** Whether the body may end with the connection, without Content-Length or chunks. */
  endsWithConnection: boolean
  /** The URL's port, unless it is the scheme's default. */
  port?: number
}

/** Addresses per family. IPv4 comes first. */
const mostAddresses = 2
/** Octets of response headers. */
const mostHeaders = 16_384

/** Tries the host's addresses one after another until a server responds. Never throws. */
export async function askAnyAddress(
  { resolver, privateNetworks, limits, signal: ended }: ForeignOptions,
  asked: ForeignRequest,
  opening: Opening,
): Promise<ForeignAnswer> {
  const signal = AbortSignal.any([AbortSignal.timeout(limits.whole), ...(ended ? [ended] : [])])
  const found = await addressesOf(asked.host, resolver, privateNetworks, signal)
  if ('kind' in found) return found
  let last = noAnswer(`${asked.host} has no address`)
  for (const address of found) {
    const answer = await askAt(address, asked, limits, signal, opening)
    // A response, or a bad certificate, from one address counts for the host.
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
): Promise<string[] | ForeignFailure> {
  const answers = isIP(host)
    ? [{ kind: 'Found' as const, records: [host] }]
    : await Promise.all([resolver.query(host, 'A', signal), resolver.query(host, 'AAAA', signal)])
  const all = answers.map((answer) => (answer.kind === 'Found' ? answer.records : []))
  const allowed = all.map((some) => some.filter(createAddressFilter(privateNetworks)).slice(0, mostAddresses))
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
  opening: Opening,
): Promise<ForeignAnswer> {
  try {
    const socket = await opening.open(address, signal)
    if ('kind' in socket) return socket
    try {
      return await exchange(socket, asked, limits, signal, opening)
    } catch (error) {
      // Node's HTTP error for a broken connection hides the cause that the socket has.
      throw socket.errored ?? error
    } finally {
      socket.destroy()
    }
  } catch (error) {
    return noAnswer(`${asked.host} (${address}): ${whyFailed(error, limits, signal)}`)
  }
}

/**
 * Destroys the socket on abort and on timeout. `reject` receives every error of the socket.
 * @param silence milliseconds without data
 */
export function guard(
  socket: Socket,
  silence: number,
  signal: AbortSignal,
  reject: (error: Error) => void,
): void {
  const abort = () => socket.destroy(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  socket.on('close', () => signal.removeEventListener('abort', abort))
  socket.on('timeout', () => socket.destroy(silentFor(silence)))
  // Never removed: an error event without a listener would end the process.
  socket.on('error', reject)
  if (signal.aborted) abort()
}

/** Rejects when the response is not HTTP, is late, or exceeds a limit. */
async function exchange(
  socket: Socket,
  asked: ForeignRequest,
  limits: ForeignLimits,
  signal: AbortSignal,
  { endsWithConnection, port }: Opening,
): Promise<ForeignAnswer> {
  const host = isIP(asked.host) === 6 ? `[${asked.host}]` : asked.host
  const response = await respond(
    request({
      method: asked.method,
      path: asked.path,
      headers: {
        ...asked.headers,
        Host: port === undefined ? host : `${host}:${port}`,
        Connection: 'close',
      },
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
    body: await bodyOf(response, limits.body, endsWithConnection),
  }
}

function respond(sent: ClientRequest, body: Buffer | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.on('error', reject)
    sent.once('upgrade', () => reject(new Error('the server switched to another protocol')))
    sent.once('response', resolve)
    sent.end(body)
  })
}

/**
 * Refuses a body that ends with the connection, unless the caller can verify it by a signature: an attacker could cut
 * it short, since Node does not distinguish TLS's close_notify from a broken connection (RFC 9112 §8).
 */
async function bodyOf(response: IncomingMessage, most: number, endsWithConnection: boolean): Promise<Buffer> {
  const chunks: Buffer[] = []
  const { 'content-length': stated, 'transfer-encoding': coding } = response.headers
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > most) throw new Error(`the answer is larger than ${most} octets`)
    if (!endsWithConnection && stated === undefined && coding === undefined)
      throw new Error('the answer has neither Content-Length nor chunks')
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

export const noAnswer = (detail: string): ForeignFailure => ({
  kind: 'Failed',
  cause: 'NoAnswer',
  detail,
})
