/**
 * smtp-server with some habits changed: a reply that brings its own enhanced status code gets no second one;
 * replies to pipelined commands go out together; a server that is closing tells each client so as soon as nothing
 * of the client's is in flight; a message that is answered before its end is the session's last; and every
 * handshake that fails is told of, once.
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { SMTPServer } from 'smtp-server'
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import { shuttingDown } from './replies.ts'

const enhancedCode = /^[245]\.\d{1,3}\.\d{1,3} /

class MailConnection extends SMTPConnection {
  /** An error comes once for each event that it is listened to by, on TLS and beneath it. */
  #hasFailed = false

  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    const complete = typeof data === 'string' && enhancedCode.test(data)
    this.#gatherReplies()
    super.send(code, data, complete ? false : context)
    if (this.#isAmidMessage()) this.close()
    else if (code !== 421 && this._server._closeTimeout) this.endUnlessReceiving()
  }

  /** Whether a message was answered of which more is to come. */
  #isAmidMessage(): boolean {
    return !this._dataStream && this._parser !== false && this._parser._dataMode
  }

  /**
   * RFC 2920 §3.2: replies to commands that came together go back together, which under TLS is one record
   * instead of one each. Not before TLS: what follows the 220 of STARTTLS belongs to the handshake.
   */
  #gatherReplies(): void {
    const socket = this._socket
    if (!this.secure || socket.writableCorked > 0) return
    socket.cork()
    setImmediate(() => socket.uncork())
  }

  /** RFC 5321 §3.8: a server that goes away says 421, but not to a client that waits for the reply to its data. */
  endUnlessReceiving(): void {
    if (this._dataStream) return
    super.send(shuttingDown.code, `${shuttingDown.enhanced} ${shuttingDown.text}`, false)
  }

  override _onError(error: Error): void {
    if (this._upgrading) this.#handshakeFailed(error)
    else if (this.#isFirstFailure()) super._onError(error)
  }

  override _onClose(): void {
    if (this._upgrading) this.#handshakeFailed(new Error('connection closed during the handshake'))
    super._onClose()
  }

  #handshakeFailed(error: Error): void {
    if (!this.#isFirstFailure()) return
    ;(this._server as MailServer).emit('handshakeFailed', error, this.remoteAddress)
    this.close()
  }

  #isFirstFailure(): boolean {
    const isFirst = !this.#hasFailed
    this.#hasFailed = true
    return isFirst
  }
}

export class MailServer extends SMTPServer {
  override connect(socket: Socket | TLSSocket, options?: SMTPConnectionOptions | null): void {
    const connection = new MailConnection(this, socket, options)
    this.connections.add(connection)
    connection.on('error', (error) => this._onError(error))
    connection.on('connect', (data) => this._onClientConnect(data))
    connection.init()
  }

  /** Sessions of an address that were welcomed and are still open. */
  sessionsFrom(address: string): number {
    let count = 0
    for (const { _ready, remoteAddress } of this.connections) if (_ready && remoteAddress === address) count++
    return count
  }

  /** Stops listening and resolves when every session has ended, at the latest after `closeTimeout`. */
  async drain(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.close(resolve))
    for (const connection of this.connections) (connection as MailConnection).endUnlessReceiving()
    await closed
  }
}
