/** A server on loopback. The test sets its response to each request, including octets and socket events. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'

export interface ReceivedRequest {
  method: string
  path: string
  headers: Record<string, string>
  body: Buffer
  /** The number of the request's connection, from 0. */
  connection: number
}

/** The server's response to one request. */
export type Behaviour = (socket: Socket, request: ReceivedRequest) => void

export function answer(
  status: number,
  body: string | ((request: ReceivedRequest) => string) = '',
  headers: Record<string, string> = {},
): Behaviour {
  return (socket, request) => {
    const text = typeof body === 'string' ? body : body(request)
    const lines = Object.entries({ etag: '"1"', 'content-length': Buffer.byteLength(text), ...headers })
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    socket.write(`HTTP/1.1 ${status} Said\r\n${head}\r\n${text}`)
  }
}

export const silence: Behaviour = () => {}
export const reset: Behaviour = (socket) => socket.resetAndDestroy()
export const close: Behaviour = (socket) => socket.end()
export const halfResponse: Behaviour = (socket) =>
  socket.end('HTTP/1.1 200 OK\r\netag: "1"\r\ncontent-length: 100\r\n\r\n{"Successful":')
export const notHttp: Behaviour = (socket) => socket.end('220 mail.example ESMTP\r\n')

export class ScriptedServer {
  readonly requests: ReceivedRequest[] = []
  /** One behaviour for each request in order; the last one also serves all later requests. */
  script: Behaviour[]
  /** Runs once, when the headers of a request have been read and before its body has been read. */
  beforeBody: Behaviour | null = null
  readonly #sockets = new Set<Socket>()
  readonly #server: Server = createServer((socket) => this.#take(socket))
  #connections = 0

  private constructor(script: Behaviour[]) {
    this.script = script
  }

  static async start(...script: Behaviour[]): Promise<ScriptedServer> {
    const server = new ScriptedServer(script)
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** The number of open connections. */
  get openConnections(): number {
    return this.#sockets.size
  }

  /** Resolves when no connection is open. */
  async idle(): Promise<void> {
    await Promise.all([...this.#sockets].map((socket) => once(socket, 'close')))
  }

  stop(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #take(socket: Socket): void {
    const connection = this.#connections++
    let received = Buffer.alloc(0)
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', (octets) => {
      received = Buffer.concat([received, octets])
      const end = received.indexOf('\r\n\r\n')
      if (end < 0) return
      const [first = '', ...lines] = received.subarray(0, end).toString('latin1').split('\r\n')
      const [method = '', path = ''] = first.split(' ')
      const headers = Object.fromEntries(
        lines.map((line) => [
          line.slice(0, line.indexOf(':')).toLowerCase(),
          line.slice(line.indexOf(':') + 1).trim(),
        ]),
      )
      const length = Number(headers['content-length'] ?? 0)
      const body = received.subarray(end + 4, end + 4 + length)
      const request = { method, path, headers, body, connection }
      if (this.beforeBody) {
        this.beforeBody(socket, request)
        this.beforeBody = null
        return
      }
      if (body.length < length) return
      received = received.subarray(end + 4 + length)
      this.requests.push({ ...request, body: Buffer.from(body) })
      const behaviour = this.script.length > 1 ? this.script.shift() : this.script[0]
      behaviour?.(socket, request)
    })
  }
}
