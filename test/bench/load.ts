/**
 * A sending server's side of many sessions, as lean as it can be made: TLS sessions stay open, each sends one
 * message after another, MAIL, RCPT and DATA in one write (RFC 2920), the body after the 354.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface Load {
  port: number
  connections: number
  /** Milliseconds. */
  duration: number
  /** With its final dot. */
  message: Buffer
}

export interface LoadResult {
  count: number
  perSecond: number
  /** Milliseconds from MAIL to the 250 that follows the data. */
  p50: number
  p99: number
}

export async function generateLoad({ port, connections, duration, message }: Load): Promise<LoadResult> {
  const sessions = await Promise.all(Array.from({ length: connections }, () => Session.open(port)))
  const times: number[] = []
  const began = performance.now()
  const end = began + duration
  await Promise.all(
    sessions.map(async (session) => {
      while (performance.now() < end) times.push(await session.send(message))
    }),
  )
  const seconds = (performance.now() - began) / 1000
  for (const session of sessions) session.close()
  times.sort((one, other) => one - other)
  const quantile = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0
  return {
    count: times.length,
    perSecond: times.length / seconds,
    p50: quantile(0.5),
    p99: quantile(0.99),
  }
}

/** Octets of one message with its final dot, in lines as mail has them. */
export function sampleMessage(octets: number): Buffer {
  const head = 'From: a@elsewhere.example\r\nTo: b@ours.example\r\nSubject: load\r\n\r\n'
  const line = `${'x'.repeat(74)}\r\n`
  const body = head + line.repeat(Math.max(0, Math.round((octets - head.length) / line.length)))
  return Buffer.from(`${body}.\r\n`)
}

const transaction = 'MAIL FROM:<a@elsewhere.example>\r\nRCPT TO:<b@ours.example>\r\nDATA\r\n'

class Session {
  #socket: Socket
  #buffered = ''
  #wanted = 0
  #answered: ((last: string) => void) | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#read()
  }

  static async open(port: number): Promise<Session> {
    const socket = connect(port, '127.0.0.1').setNoDelay()
    const session = new Session(socket)
    await session.#replies(1)
    await session.#command('EHLO load.example\r\n', 1)
    await session.#command('STARTTLS\r\n', 1)
    socket.removeAllListeners('data')
    session.#socket = connectTls({ socket, rejectUnauthorized: false })
    await once(session.#socket, 'secureConnect')
    session.#read()
    await session.#command('EHLO load.example\r\n', 1)
    return session
  }

  /** @returns milliseconds */
  async send(message: Buffer): Promise<number> {
    const began = performance.now()
    expectCode(await this.#command(transaction, 3), '354')
    expectCode(await this.#command(message, 1), '250')
    return performance.now() - began
  }

  close(): void {
    this.#socket.end('QUIT\r\n')
  }

  #command(octets: string | Buffer, replies: number): Promise<string> {
    const answered = this.#replies(replies)
    this.#socket.write(octets)
    return answered
  }

  /** Resolves with the last line of so many replies. */
  #replies(count: number): Promise<string> {
    this.#wanted = count
    return new Promise((resolve) => {
      this.#answered = resolve
    })
  }

  #read(): void {
    this.#socket.setEncoding('latin1')
    this.#socket.on('data', (text: string) => this.#take(text))
    this.#socket.on('error', () => {})
  }

  #take(text: string): void {
    this.#buffered += text
    for (let end = this.#buffered.indexOf('\r\n'); end >= 0; end = this.#buffered.indexOf('\r\n')) {
      const line = this.#buffered.slice(0, end)
      this.#buffered = this.#buffered.slice(end + 2)
      if (line[3] !== '-' && --this.#wanted === 0) this.#answered?.(line)
    }
  }
}

function expectCode(line: string, code: string): void {
  if (!line.startsWith(code)) throw new Error(`expected ${code}, the server said: ${line}`)
}
