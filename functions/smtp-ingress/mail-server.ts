/** What listens for mail: the connections there are, the clock that ends those that hang, and the end of all. */
import { createServer, type Server } from 'node:net'
import { Connection, type ConnectionParts, reading } from './connection.ts'
import { listen } from './oversight.ts'

export type MailServerParts = Omit<ConnectionParts, 'onClose'> & {
  /** Milliseconds that a draining server waits for messages in flight. */
  drainMs: number
  /** Connections that a process holds, with those that are refused or have not ended yet; beyond them, they are cut. */
  maximumConnections: number
}

const tickMs = 1000

export class MailServer {
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  readonly #drainMs: number
  readonly #clock: NodeJS.Timeout

  constructor({ drainMs, maximumConnections, ...parts }: MailServerParts) {
    this.#drainMs = drainMs
    const onClose = (connection: Connection) => this.#connections.delete(connection)
    this.#server = createServer(reading, (socket) => {
      const connection = new Connection(socket, { ...parts, onClose })
      this.#connections.add(connection)
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

  #tick(): void {
    for (const connection of this.#connections) connection.tick()
  }
}
