/** What listens for mail: the connections there are, the clock that ends those that hang, and the end of all. */
import { createServer, type Server } from 'node:net'
import { Connection, type ConnectionParts, reading } from './connection.ts'
import { listen } from './listen.ts'

export type MailServerParts = Omit<ConnectionParts, 'onEnd' | 'onClose'> & {
  /** Milliseconds that a draining server waits for messages in flight. */
  drainMs: number
  /** Connections that a process holds, with those that are refused or have not ended yet; beyond them, they are cut. */
  maximumConnections: number
}

const tickMs = 1000
/** Places that are kept free for who comes next. */
const spare = 64

export class MailServer {
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  /** Those whose session has ended, the first of them first. */
  readonly #ended = new Set<Connection>()
  readonly #drainMs: number
  readonly #clock: NodeJS.Timeout

  constructor({ drainMs, maximumConnections, ...parts }: MailServerParts) {
    this.#drainMs = drainMs
    const onEnd = (connection: Connection) => this.#ended.add(connection)
    const onClose = (connection: Connection) => {
      this.#connections.delete(connection)
      this.#ended.delete(connection)
    }
    this.#server = createServer({ ...reading, allowHalfOpen: true }, (socket) => {
      const connection = new Connection(socket, { ...parts, onEnd, onClose })
      this.#connections.add(connection)
      if (this.#connections.size > maximumConnections - spare) this.#makeRoom()
      connection.start()
    })
    this.#server.maxConnections = maximumConnections
    this.#clock = setInterval(() => this.#tick(), tickMs).unref()
  }

  /** @returns the port @throws Error when it cannot be listened on */
  listen(port: number, address: string): Promise<number> {
    return listen(this.#server, port, address)
  }

  get size(): number {
    return this.#connections.size
  }

  /** Stops listening and resolves when every session has ended, at the latest after `drainMs`. */
  async drain(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const connection of this.#connections) connection.drain()
    const end = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy()
    }, this.#drainMs)
    await closed
    clearTimeout(end)
    clearInterval(this.#clock)
  }

  /** Who stays when its session has ended takes the place of nobody. */
  #makeRoom(): void {
    const [first] = this.#ended
    if (first === undefined) return
    this.#ended.delete(first)
    first.destroy()
  }

  #tick(): void {
    for (const connection of this.#connections) connection.tick()
  }
}
