/**
 * HTTP requests over connections that stay open. An idle connection may break unnoticed. A request that fails on such a
 * connection closes the other idle connections; the caller then repeats the request over a new connection.
 */
import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as overHttp,
  type RequestOptions,
} from 'node:http'
import { Agent as HttpsAgent, request as overHttps } from 'node:https'
import { NoResponseError } from './errors.ts'

export interface Origin {
  isSecure: boolean
  hostname: string
  /** Null for the scheme's default port. */
  port: number | null
}

export function originOf(url: string): Origin {
  const { protocol, hostname, port } = new URL(url)
  return { isSecure: protocol === 'https:', hostname, port: port === '' ? null : Number(port) }
}

export interface RequestTimeouts {
  /** Timeout for the TCP connection, without the TLS handshake. */
  connectMs: number
  /** Timeout from the call of `send` to the last octet of the response, including the connection. */
  totalMs: number
}

export interface RequestLimits extends RequestTimeouts {
  /** Limit of a response body, in characters. @default `defaultMaxResponseOctets` */
  maxResponseOctets?: number
}

export interface HttpRequest {
  method: string
  path: string
  headers: Readonly<Record<string, string>>
  /** Written one after another, without copying them into one buffer. */
  body: readonly Buffer[]
}

export interface HttpResponse {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

const maxConnections = 128

/**
 * Limit of a response body. The longest expected response, ten refused jobs with long reasons, has a tenth of this
 * size.
 */
const defaultMaxResponseOctets = 65_536

export class HttpConnections {
  readonly #origin: Origin
  readonly #limits: RequestLimits
  readonly #startRequest: typeof overHttp
  readonly #keepAliveAgent: HttpAgent
  readonly #singleUseAgent: HttpAgent

  constructor(origin: Origin, limits: RequestLimits) {
    this.#origin = origin
    this.#limits = limits
    this.#startRequest = origin.isSecure ? overHttps : overHttp
    const Agent = origin.isSecure ? HttpsAgent : HttpAgent
    this.#keepAliveAgent = new Agent({ keepAlive: true, maxSockets: maxConnections })
    this.#singleUseAgent = new Agent({ keepAlive: false })
  }

  /**
   * @param useNewConnection whether to use a new connection for this request only
   * @throws NoResponseError
   */
  async send(request: HttpRequest, useNewConnection: boolean): Promise<HttpResponse> {
    const agent = useNewConnection ? this.#singleUseAgent : this.#keepAliveAgent
    try {
      return await this.#send(request, agent)
    } catch (error) {
      if (!useNewConnection) this.#closeIdleConnections()
      throw error
    }
  }

  close(): void {
    this.#keepAliveAgent.destroy()
    this.#singleUseAgent.destroy()
  }

  #closeIdleConnections(): void {
    for (const sockets of Object.values(this.#keepAliveAgent.freeSockets))
      for (const socket of sockets ?? []) socket.destroy()
  }

  #send({ method, path, headers, body }: HttpRequest, agent: HttpAgent): Promise<HttpResponse> {
    const { hostname, port } = this.#origin
    const { connectMs, totalMs, maxResponseOctets = defaultMaxResponseOctets } = this.#limits
    const options: RequestOptions = { agent, hostname, port, method, path, headers }
    return new Promise((resolve, reject) => {
      const request = this.#startRequest(options)
      const fail = (error: NoResponseError) => {
        clearTimeout(totalTimeout)
        reject(error)
        request.destroy()
      }
      const startTimeout = (ms: number, failure: string) =>
        setTimeout(() => fail(new NoResponseError(`${failure} within ${ms} ms`, 'ETIMEDOUT')), ms)
      const totalTimeout = startTimeout(totalMs, 'no answer')
      request.on('error', (error) => fail(NoResponseError.from(error)))
      request.on('socket', (socket) => {
        if (!socket.connecting) return
        const connectTimeout = startTimeout(connectMs, 'no connection')
        socket
          .once('connect', () => clearTimeout(connectTimeout))
          .once('close', () => clearTimeout(connectTimeout))
      })
      request.on('response', (response) =>
        readBody(response, maxResponseOctets, fail, (httpResponse) => {
          clearTimeout(totalTimeout)
          resolve(httpResponse)
          // The service has refused the request: the rest of its body need not be sent.
          if (httpResponse.status >= 300 && !request.writableFinished) request.destroy()
        }),
      )
      for (const part of body.slice(0, -1)) request.write(part)
      request.end(body.at(-1))
    })
  }
}

function readBody(
  response: IncomingMessage,
  maxOctets: number,
  fail: (error: NoResponseError) => void,
  succeed: (httpResponse: HttpResponse) => void,
): void {
  let body = ''
  response.setEncoding('utf8')
  response.on('data', (text: string) => {
    body += text
    if (body.length > maxOctets)
      fail(new NoResponseError(`a response of more than ${maxOctets} octets`, 'EMSGSIZE'))
  })
  response.on('error', (error) => fail(NoResponseError.from(error)))
  response.on('end', () => succeed({ status: response.statusCode ?? 0, headers: response.headers, body }))
}
