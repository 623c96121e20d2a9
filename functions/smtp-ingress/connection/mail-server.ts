/** The SMTP listener: holds all connections, drives their timeouts, and drains them on shutdown. */
import { createServer, type Server } from 'node:net'
import { Connection, type ConnectionParts, reading } from './connection.ts'
import { listen } from './listen.ts'

export type MailServerParts = Omit<ConnectionParts, 'onEnd' | 'onClose'> & {
  /** Milliseconds that a draining server waits for messages in flight. */
  drainMs: number
  /** Open connections, including those refused or closing. The listener drops connections beyond it. */
  maximumConnections: number
}

const tickMs = 1000
/** Connections kept free for new clients. */
const spare = 64

export class MailServer {
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  /** Connections whose session has ended, oldest first. */
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

  /** @returns the port @throws Error when the port cannot be opened */
  listen(port: number, address: string): Promise<number> {
    return listen(this.#server, port, address)
  }

  get size(): number {
    return this.#connections.size
  }

  /** Stops listening. Resolves when every session has ended, at the latest after the drain timeout. */
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

  /** A connection whose session has ended must not block a new client. */
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
