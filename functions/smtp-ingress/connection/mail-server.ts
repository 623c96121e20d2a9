/** The SMTP listener: holds all connections, drives their timeouts, and drains them on shutdown. */
import { createServer, type Server } from 'node:net'
import type { ConnectionLimiter } from '../limits/connection-limiter.ts'
import { Connection, type ConnectionParts, socketOptions } from './connection.ts'
import { listen } from './listen.ts'

export type MailServerParts = Omit<ConnectionParts, 'onEnd' | 'onClose' | 'connectionLimiter'> & {
  connectionLimiter: ConnectionParts['connectionLimiter'] & Pick<ConnectionLimiter, 'whenNearlyFull'>
  /** Milliseconds that a draining server waits for messages in flight. */
  drainTimeoutMs: number
  /**
   * Maximum of open connections, including those whose session was refused or has ended. The listener drops further
   * connections.
   */
  maxConnections: number
}

const tickMs = 1000
/**
 * Connections that are kept free for new clients. If fewer are free, each new connection closes the oldest connection
 * whose session has ended.
 */
const spareConnections = 64

export class MailServer {
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  /** Connections whose session has ended, oldest first. */
  readonly #endedConnections = new Set<Connection>()
  readonly #drainTimeoutMs: number
  readonly #tickTimer: NodeJS.Timeout
  #isSearchFutile = false

  constructor({ drainTimeoutMs, maxConnections, ...parts }: MailServerParts) {
    this.#drainTimeoutMs = drainTimeoutMs
    const onEnd = (connection: Connection) => this.#endedConnections.add(connection)
    const onClose = (connection: Connection) => {
      this.#connections.delete(connection)
      this.#endedConnections.delete(connection)
    }
    this.#server = createServer({ ...socketOptions, allowHalfOpen: true }, (socket) => {
      const connection = new Connection(socket, { ...parts, onEnd, onClose })
      this.#connections.add(connection)
      if (this.#connections.size > maxConnections - spareConnections) this.#closeOldestEnded()
      connection.start()
    })
    this.#server.maxConnections = maxConnections
    parts.connectionLimiter.whenNearlyFull(
      () => this.#endIdleSession(),
      (address) => parts.knownSenders.has(address),
    )
    this.#tickTimer = setInterval(() => this.#tick(), tickMs).unref()
  }

  /** @returns the port @throws Error when the port cannot be opened */
  listen(port: number, address: string): Promise<number> {
    return listen(this.#server, port, address)
  }

  get size(): number {
    return this.#connections.size
  }

  /**
   * Stops listening and ends the sessions. Closes the remaining connections after the drain timeout. Resolves when
   * every connection is closed.
   */
  async drain(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const connection of this.#connections) connection.drain()
    const end = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy()
    }, this.#drainTimeoutMs)
    await closed
    clearTimeout(end)
    clearInterval(this.#tickTimer)
  }

  /** A connection whose session has ended must not block a new client. */
  #closeOldestEnded(): void {
    const [oldest] = this.#endedConnections
    if (oldest === undefined) return
    this.#endedConnections.delete(oldest)
    oldest.destroy()
  }

  /** Searches at most once per tick when no session may end, because a search costs more than a refusal. */
  #endIdleSession(): void {
    if (this.#isSearchFutile) return
    let idlest: { connection: Connection; rank: number } | null = null
    for (const connection of this.#connections) {
      const { rank } = connection
      if (rank !== null && rank > (idlest?.rank ?? 0)) idlest = { connection, rank }
    }
    this.#isSearchFutile = idlest === null
    idlest?.connection.endAsIdle()
  }

  #tick(): void {
    this.#isSearchFutile = false
    for (const connection of this.#connections) connection.tick()
  }
}
