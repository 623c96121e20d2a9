/**
 * HTTP requests over connections that stay open. An idle connection may break unnoticed. A request that fails on one
 * closes the other idle connections; the caller then repeats it over a new connection.
 */
import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as overHttp,
  type RequestOptions,
} from 'node:http'
import { Agent as HttpsAgent, request as overHttps } from 'node:https'
import { NoAnswerError } from './faults.ts'

export interface Place {
  isSecure: boolean
  hostname: string
  /** Null for the scheme's default port. */
  port: number | null
}

export interface Patience {
  /** Milliseconds until the connection is established. */
  connectMs: number
  /** Milliseconds from the first octet of the request to the last octet of the response. */
  answerMs: number
}

export interface Request {
  method: string
  path: string
  headers: Readonly<Record<string, string>>
  /** Written one after another, without copying them into one buffer. */
  body: readonly Buffer[]
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

const mostConnections = 128

/** Octets of a response body. The longest expected response, ten refused jobs with long reasons, has a tenth of it. */
const largestAnswer = 65_536

export class Exchange {
  readonly #place: Place
  readonly #patience: Patience
  readonly #request: typeof overHttp
  readonly #kept: HttpAgent
  readonly #once: HttpAgent

  constructor(place: Place, patience: Patience) {
    this.#place = place
    this.#patience = patience
    this.#request = place.isSecure ? overHttps : overHttp
    const Agent = place.isSecure ? HttpsAgent : HttpAgent
    this.#kept = new Agent({ keepAlive: true, maxSockets: mostConnections })
    this.#once = new Agent({ keepAlive: false })
  }

  /**
   * @param afresh whether to use a new connection for this request only
   * @throws NoAnswerError
   */
  async send(request: Request, afresh: boolean): Promise<Answer> {
    const agent = afresh ? this.#once : this.#kept
    try {
      return await this.#send(request, agent)
    } catch (error) {
      if (!afresh) this.#dropIdle()
      throw error
    }
  }

  close(): void {
    this.#kept.destroy()
    this.#once.destroy()
  }

  #dropIdle(): void {
    for (const sockets of Object.values(this.#kept.freeSockets))
      for (const socket of sockets ?? []) socket.destroy()
  }

  #send({ method, path, headers, body }: Request, agent: HttpAgent): Promise<Answer> {
    const { hostname, port } = this.#place
    const { connectMs, answerMs } = this.#patience
    const options: RequestOptions = { agent, hostname, port, method, path, headers }
    return new Promise((resolve, reject) => {
      const request = this.#request(options)
      const fail = (error: NoAnswerError) => {
        clearTimeout(whole)
        reject(error)
        request.destroy()
      }
      const giveUp = (ms: number, what: string) =>
        setTimeout(() => fail(new NoAnswerError(`${what} within ${ms} ms`, 'ETIMEDOUT')), ms)
      const whole = giveUp(answerMs, 'no answer')
      request.on('error', (error) => fail(NoAnswerError.of(error)))
      request.on('socket', (socket) => {
        if (!socket.connecting) return
        const connected = giveUp(connectMs, 'no connection')
        socket.once('connect', () => clearTimeout(connected)).once('close', () => clearTimeout(connected))
      })
      request.on('response', (response) =>
        collect(response, fail, (answer) => {
          clearTimeout(whole)
          resolve(answer)
          // The service has refused the request: the rest of its body need not be sent.
          if (answer.status >= 300 && !request.writableFinished) request.destroy()
        }),
      )
      for (const part of body.slice(0, -1)) request.write(part)
      request.end(body.at(-1))
    })
  }
}

function collect(
  response: IncomingMessage,
  fail: (error: NoAnswerError) => void,
  succeed: (answer: Answer) => void,
): void {
  let body = ''
  response.setEncoding('utf8')
  response.on('data', (text: string) => {
    body += text
    if (body.length > largestAnswer)
      fail(new NoAnswerError(`a response of more than ${largestAnswer} octets`, 'EMSGSIZE'))
  })
  response.on('error', (error) => fail(NoAnswerError.of(error)))
  response.on('end', () => succeed({ status: response.statusCode ?? 0, headers: response.headers, body }))
}
