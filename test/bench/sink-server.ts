/** A mail server that reads and discards messages, as lean as possible. */
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { createSecureContext, TLSSocket } from 'node:tls'

export interface SinkOptions {
  /** PEM. */
  tls: { key: string; cert: string }
  /** Milliseconds before each reply, in place of a network's round trip. */
  pauseMs?: number
  /** @param line the RCPT command @returns whether the recipient is refused with 550 */
  refusesRecipient?(line: string): boolean
  /** Called with each message before its reply. */
  onMessage?(message: Buffer): void
}

const end = Buffer.from('\r\n.\r\n')

export function createSink({
  tls,
  pauseMs = 0,
  refusesRecipient = () => false,
  onMessage: taken = () => {},
}: SinkOptions): Server {
  const secureContext = createSecureContext(tls)
  return createServer({ noDelay: true }, (socket) => {
    serve(socket)
    void sendReplies(socket, '220 sink ESMTP')
  })

  async function sendReplies(socket: Socket, replies: string): Promise<void> {
    if (pauseMs > 0) await delay(pauseMs)
    if (socket.writable) socket.write(`${replies}\r\n`)
  }

  function serve(socket: Socket): void {
    let input = Buffer.alloc(0)
    let inData = false
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      input = input.length === 0 ? chunk : Buffer.concat([input, chunk])
      if (!inData) {
        if (input.at(-1) !== 10) return
        inData = command(socket, input.toString('latin1').split('\r\n').slice(0, -1))
      } else {
        if (!input.subarray(-end.length).equals(end)) return
        inData = false
        taken(input)
        void sendReplies(socket, '250 2.0.0 accepted')
      }
      input = Buffer.alloc(0)
    })
  }

  /** @returns whether a message comes next */
  function command(socket: Socket, lines: readonly string[]): boolean {
    if (lines[0] === 'STARTTLS') {
      socket.removeAllListeners('data')
      void sendReplies(socket, '220 2.0.0 go on').then(() =>
        serve(new TLSSocket(socket, { isServer: true, secureContext })),
      )
      return false
    }
    const isRefused = lines.some((line) => line.startsWith('RCPT') && refusesRecipient(line))
    const reply = (line: string) =>
      isRefused && /^(RCPT|DATA)/.test(line) ? '550 5.1.1 No such mailbox' : replyTo(line, socket)
    void sendReplies(socket, lines.map(reply).join('\r\n'))
    if (lines.at(-1) === 'QUIT') socket.end()
    return lines.at(-1) === 'DATA' && !isRefused
  }
}

function replyTo(line: string, socket: Socket): string {
  if (line.startsWith('EHLO'))
    return `250-sink\r\n250-PIPELINING\r\n${socket instanceof TLSSocket ? '' : '250-STARTTLS\r\n'}250 8BITMIME`
  if (line === 'QUIT') return '221 2.0.0 bye'
  return line === 'DATA' ? '354 go on' : '250 2.0.0 OK'
}
