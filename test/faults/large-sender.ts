/** A sending server with one TLS session. It may send a message slowly or incompletely. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'

export interface Pace {
  /** Wait between blocks, in milliseconds; 0 is full speed. */
  blockDelayMs: number
  /** The share of the message that is sent; below 1 there is no end of data. */
  share: number
}

const block = 64 * 1024

export class LargeSender {
  #socket: Socket
  #text = ''
  #isClosed = false
  #wake = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#listen(socket)
  }

  /** Opens a TLS session in which a transaction may begin. */
  static async greet(port: number): Promise<LargeSender> {
    const sender = new LargeSender(connect(port, '127.0.0.1'))
    await sender.#reply()
    await sender.#command('EHLO client.example')
    const ready = await sender.#command('STARTTLS')
    if (!ready.startsWith('220 ')) throw new Error(`STARTTLS: ${ready}`)
    sender.#socket.removeAllListeners('data')
    const secured = connectTls({ socket: sender.#socket, rejectUnauthorized: false })
    await once(secured, 'secureConnect')
    sender.#socket = secured
    sender.#listen(secured)
    await sender.#command('EHLO client.example')
    return sender
  }

  /** @param octets without lines that begin with a dot @returns the reply; empty unless the whole message is sent */
  async send(from: string, octets: Buffer, { blockDelayMs: pace, share }: Pace): Promise<string> {
    for (const command of [`MAIL FROM:<${from}>`, 'RCPT TO:<b@ours.example>', 'DATA']) {
      const reply = await this.#command(command)
      if (!/^[23]/.test(reply)) return reply
    }
    const end = Math.floor(octets.length * share)
    for (let from = 0; from < end && !this.#isClosed; from += block) {
      await this.#write(octets.subarray(from, Math.min(from + block, end)))
      if (pace > 0) await delay(pace)
    }
    return share < 1 ? '' : this.#command('.')
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Resolves when the octets are written or the connection is closed. */
  #write(octets: Buffer): Promise<void> {
    return new Promise((resolve) => this.#socket.write(octets, () => resolve()))
  }

  #command(line: string): Promise<string> {
    this.#socket.write(`${line}\r\n`)
    return this.#reply()
  }

  /** Returns the last line of a reply, or `closed` when the session has ended. */
  async #reply(): Promise<string> {
    for (;;) {
      const last = /^(\d{3} [^\r\n]*)\r\n/m.exec(this.#text)
      if (last) {
        this.#text = this.#text.slice(last.index + last[0].length)
        return last[1] as string
      }
      if (this.#isClosed) return 'closed'
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #listen(socket: Socket): void {
    socket.on('data', (octets) => {
      this.#text += octets
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isClosed = true
      this.#wake()
    })
  }
}
