/** One session of a sending server, with control over each octet. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** Thrown when the connection is closed. */
export class ClosedError extends Error {}
/** Thrown when no reply came before the timeout. */
export class SilentError extends Error {}

/**
 * A real client waits ten minutes for the reply to its message (RFC 5321 §4.5.3.2.6). The ingress must send each reply
 * within a tenth of that time.
 */
const replyTimeoutMs = 60_000

export class ClientSession {
  #socket: Socket
  #text = ''
  #lines: string[] = []
  readonly #replies: string[] = []
  #waiting: { resolve(reply: string): void; reject(error: Error): void } | null = null
  #failure: Error | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#listen(socket)
  }

  static open(port: number): ClientSession {
    return new ClientSession(connect({ port, host: '127.0.0.1', noDelay: true }))
  }

  get isOpen(): boolean {
    return this.#failure === null
  }

  /** Returns the next reply with its lines joined. @throws ClosedError, SilentError */
  reply(): Promise<string> {
    const reply = this.#replies.shift()
    if (reply !== undefined) return Promise.resolve(reply)
    if (this.#failure) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(new SilentError()), replyTimeoutMs)
      const settle = () => {
        clearTimeout(timer)
        this.#waiting = null
      }
      this.#waiting = {
        resolve: (text) => {
          settle()
          resolve(text)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      }
    })
  }

  command(line: string): Promise<string> {
    this.write(`${line}\r\n`)
    return this.reply()
  }

  write(octets: string | Buffer): void {
    if (this.#failure === null) this.#socket.write(octets)
  }

  async startTls(): Promise<void> {
    const socketInClear = this.#socket
    socketInClear.removeAllListeners('data')
    const secured = connectTls({
      socket: socketInClear,
      rejectUnauthorized: false,
      servername: 'mx.ours.example',
    })
    this.#socket = secured
    this.#listen(secured)
    await new Promise<void>((resolve, reject) => {
      secured.once('secureConnect', resolve)
      secured.once('close', () => reject(new ClosedError()))
    })
  }

  close(): void {
    this.#fail(new ClosedError())
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk) => this.#read(chunk.toString('latin1')))
    socket.on('error', () => this.#fail(new ClosedError()))
    socket.on('close', () => this.#fail(new ClosedError()))
  }

  #read(text: string): void {
    this.#text += text
    for (;;) {
      const end = this.#text.indexOf('\r\n')
      if (end < 0) return
      const line = this.#text.slice(0, end)
      this.#text = this.#text.slice(end + 2)
      this.#lines.push(line)
      if (line[3] === '-') continue
      const reply = this.#lines.join('\n')
      this.#lines = []
      if (this.#waiting) this.#waiting.resolve(reply)
      else this.#replies.push(reply)
    }
  }

  #fail(error: Error): void {
    if (this.#failure) return
    this.#failure = error
    this.#socket.destroy()
    this.#waiting?.reject(error)
  }
}
