/**
 * HTTP requests to untrusted servers, with TLS or in the clear: the SSRF guard on addresses, and the limits on time and
 * size.
 */
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { isIP, type Socket } from 'node:net'
import { toSingleLine } from '../mail/peer-text.ts'
import { createAddressFilter } from './address-filter.ts'
import type { Resolver } from './resolver.ts'

export interface UntrustedRequest {
  /** A name in comparable form, or an IP address. */
  host: string
  path: string
  method: 'GET' | 'POST'
  headers?: Readonly<Record<string, string>>
  body?: Buffer
}

export interface UntrustedRequestOptions {
  resolver: Resolver
  /** CIDRs of private networks to which a name may resolve. */
  privateNetworks: readonly string[]
  limits: UntrustedRequestLimits
  /** Cancels the request. */
  signal?: AbortSignal
}

export interface UntrustedRequestLimits {
  totalMs: number
  /** Limit of the time without data. */
  idleTimeoutMs: number
  maxBodyOctets: number
}

export type UntrustedResponse =
  /** A response with any status. `contentType` is in lower case, without parameters. */
  { kind: 'Answered'; status: number; contentType: string; body: Buffer } | UntrustedFailure

/** `detail`: human-readable text that may quote the server. */
export interface UntrustedFailure {
  kind: 'Failed'
  cause: 'NoAnswer' | 'Certificate'
  detail: string
}

export interface UntrustedTransport {
  /** Rejects when no connection is established. */
  connectTo(address: string, signal: AbortSignal): Promise<Socket | UntrustedFailure>
  /** Whether the body may end with the connection, without Content-Length or chunks. */
  allowBodyWithoutLength: boolean
  /** The URL's port, unless it is the scheme's default. */
  port?: number
}

/** Limits the addresses tried of each family. IPv4 addresses are tried before IPv6 addresses. */
const maxAddressesPerFamily = 2
const maxHeaderOctets = 16_384

/** Tries the host's addresses one after another until a server responds. Never throws. */
export async function fetchFromAnyAddress(
  { resolver, privateNetworks, limits, signal: callerSignal }: UntrustedRequestOptions,
  requestSpec: UntrustedRequest,
  transport: UntrustedTransport,
): Promise<UntrustedResponse> {
  const signal = AbortSignal.any([
    AbortSignal.timeout(limits.totalMs),
    ...(callerSignal ? [callerSignal] : []),
  ])
  const addresses = await resolvePermittedAddresses(requestSpec.host, resolver, privateNetworks, signal)
  if ('kind' in addresses) return addresses
  let lastFailure = noResponse(`${requestSpec.host} has no address`)
  for (const address of addresses) {
    const answer = await fetchFromAddress(address, requestSpec, limits, signal, transport)
    // A response or a bad certificate of one address is the result for the host.
    if (answer.kind === 'Answered' || answer.cause === 'Certificate' || signal.aborted) return answer
    lastFailure = answer
  }
  return lastFailure
}

async function resolvePermittedAddresses(
  host: string,
  resolver: Resolver,
  privateNetworks: readonly string[],
  signal: AbortSignal,
): Promise<string[] | UntrustedFailure> {
  const answers = isIP(host)
    ? [{ kind: 'Found' as const, records: [host] }]
    : await Promise.all([resolver.query(host, 'A', signal), resolver.query(host, 'AAAA', signal)])
  const byFamily = answers.map((answer) => (answer.kind === 'Found' ? answer.records : []))
  const allowed = byFamily.map((addresses) =>
    addresses.filter(createAddressFilter(privateNetworks)).slice(0, maxAddressesPerFamily),
  )
  if (allowed.flat().length > 0) return allowed.flat()
  if (byFamily.flat().length > 0) return noResponse(`${host} has no address that may be used`)
  const failed = answers.find((answer) => answer.kind === 'Failed')
  return noResponse(
    failed ? `DNS failed for the addresses of ${host}: ${failed.code}` : `${host} has no address`,
  )
}

async function fetchFromAddress(
  address: string,
  requestSpec: UntrustedRequest,
  limits: UntrustedRequestLimits,
  signal: AbortSignal,
  transport: UntrustedTransport,
): Promise<UntrustedResponse> {
  try {
    const socket = await transport.connectTo(address, signal)
    if ('kind' in socket) return socket
    try {
      return await sendRequest(socket, requestSpec, limits, signal, transport)
    } catch (error) {
      // For a broken connection, Node's HTTP error hides the cause; the socket's error names it.
      throw socket.errored ?? error
    } finally {
      socket.destroy()
    }
  } catch (error) {
    return noResponse(`${requestSpec.host} (${address}): ${describeFailure(error, limits, signal)}`)
  }
}

/**
 * Destroys the socket on abort and on timeout. `reject` receives every error of the socket.
 * @param idleTimeoutMs limit of the time without data
 */
export function destroyOnAbortOrTimeout(
  socket: Socket,
  idleTimeoutMs: number,
  signal: AbortSignal,
  reject: (error: Error) => void,
): void {
  const abort = () => socket.destroy(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  socket.on('close', () => signal.removeEventListener('abort', abort))
  socket.on('timeout', () => socket.destroy(idleTimeoutError(idleTimeoutMs)))
  // Never removed: an error event without a listener would end the process.
  socket.on('error', reject)
  if (signal.aborted) abort()
}

/** Rejects when the response is not HTTP or exceeds a limit of time or size. */
async function sendRequest(
  socket: Socket,
  requestSpec: UntrustedRequest,
  limits: UntrustedRequestLimits,
  signal: AbortSignal,
  { allowBodyWithoutLength, port }: UntrustedTransport,
): Promise<UntrustedResponse> {
  const host = isIP(requestSpec.host) === 6 ? `[${requestSpec.host}]` : requestSpec.host
  const response = await awaitResponse(
    request({
      method: requestSpec.method,
      path: requestSpec.path,
      headers: {
        ...requestSpec.headers,
        Host: port === undefined ? host : `${host}:${port}`,
        Connection: 'close',
      },
      createConnection: () => socket,
      maxHeaderSize: maxHeaderOctets,
      signal,
    }),
    requestSpec.body,
  )
  const [contentType = ''] = (response.headers['content-type'] ?? '').split(';')
  return {
    kind: 'Answered',
    status: response.statusCode ?? 0,
    contentType: contentType.trim().toLowerCase(),
    body: await readBody(response, limits.maxBodyOctets, allowBodyWithoutLength),
  }
}

function awaitResponse(clientRequest: ClientRequest, body: Buffer | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    clientRequest.on('error', reject)
    clientRequest.once('upgrade', () => reject(new Error('the server switched to another protocol')))
    clientRequest.once('response', resolve)
    clientRequest.end(body)
  })
}

/**
 * Refuses a body that ends with the connection, unless the caller can verify it by a signature: an attacker could cut
 * the body short, because Node does not distinguish TLS's close_notify from a broken connection (RFC 9112 §8).
 */
async function readBody(
  response: IncomingMessage,
  maxOctets: number,
  allowBodyWithoutLength: boolean,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  const { 'content-length': contentLength, 'transfer-encoding': transferEncoding } = response.headers
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxOctets) throw new Error(`the answer is larger than ${maxOctets} octets`)
    if (!allowBodyWithoutLength && contentLength === undefined && transferEncoding === undefined)
      throw new Error('the answer has neither Content-Length nor chunks')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const idleTimeoutError = (idleTimeoutMs: number) => new Error(`no answer within ${idleTimeoutMs / 1000} s`)

function describeFailure(error: unknown, { totalMs }: UntrustedRequestLimits, signal: AbortSignal): string {
  if (signal.aborted) return `not done within ${totalMs / 1000} s`
  const { code, message } = error as Error & { code?: string }
  return toSingleLine(message || (code ?? 'failed'), 150)
}

export const noResponse = (detail: string): UntrustedFailure => ({
  kind: 'Failed',
  cause: 'NoAnswer',
  detail,
})
