/**
 * Connections that send EHLO and STARTTLS, and nothing else in the clear. Attack: a server replies without end, or
 * never. Defence: octets and time are bounded.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { toSingleLine } from '../mail/peer-text.ts'
import type { Endpoint } from '../net/smtp/connection.ts'

export interface ProbeOptions {
  readonly serverName: string | null
  /** Timeout of the whole attempt in milliseconds. */
  readonly timeout: number
  /** The name in EHLO. */
  readonly ehloName: string
}

/** The server refused a step before the handshake. */
export class StartTlsError extends Error {
  /** `Greeting`: before any command. */
  readonly step: 'Greeting' | 'EHLO' | 'STARTTLS'

  constructor(step: StartTlsError['step'], reply: string) {
    super(toSingleLine(reply, 100))
    this.name = 'StartTlsError'
    this.step = step
  }
}

/**
 * Calls `use` with a connection whose server has accepted STARTTLS, and closes the connection afterwards. Rejects when
 * the server does not accept STARTTLS, and with the code ETIMEDOUT after the timeout.
 */
export async function withStartTls<T>(
  { ip, port }: Endpoint,
  { timeout, ehloName }: Pick<ProbeOptions, 'timeout' | 'ehloName'>,
  use: (socket: Socket) => Promise<T>,
): Promise<T> {
  const socket = connect({ host: ip, port })
  // The listener stays: an error between two steps must not crash the process.
  socket.on('error', () => {})
  const timer = setTimeout(
    () => socket.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })),
    timeout,
  )
  try {
    await startTls(socket, ehloName)
    return await use(socket)
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

/**
 * Calls `use` after a handshake.
 * @param observe called with the socket before its handshake
 */
export const withTls = <T>(
  endpoint: Endpoint,
  probe: ProbeOptions,
  options: ConnectionOptions,
  observe: (socket: TLSSocket) => void,
  use: (socket: TLSSocket) => Promise<T>,
): Promise<T> =>
  withStartTls(endpoint, probe, async (socket) => {
    const { serverName } = probe
    const tls = connectTls({
      ...options,
      socket,
      rejectUnauthorized: false,
      ...(serverName !== null && { servername: serverName }),
    })
    tls.on('error', () => {})
    observe(tls)
    try {
      await Promise.race([once(tls, 'secureConnect'), rejectOnClose(tls), rejectOnClose(socket)])
      return await use(tls)
    } finally {
      tls.destroy()
    }
  })

async function startTls(socket: Socket, ehloName: string): Promise<void> {
  await Promise.race([once(socket, 'connect'), rejectOnClose(socket)])
  const steps = [
    ['Greeting', null],
    ['EHLO', `EHLO ${ehloName}`],
    ['STARTTLS', 'STARTTLS'],
  ] as const
  for (const [step, command] of steps) {
    if (command !== null) socket.write(`${command}\r\n`)
    const reply = await Promise.race([replyFrom(socket), rejectOnClose(socket)])
    if (!/^2/.test(reply)) throw new StartTlsError(step, reply)
  }
}

const maxReplyOctets = 16_384

/** Returns the last line of a reply (RFC 5321 §4.2.1). Ignores octets after the reply. */
export async function replyFrom(socket: Socket): Promise<string> {
  let text = ''
  for (;;) {
    const [last] = /^\d{3}(?: .*)?(?=\r?\n)/m.exec(text) ?? []
    if (last !== undefined) return last
    if (text.length > maxReplyOctets) throw new Error('the reply is too long')
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    text += chunk.toString('latin1')
  }
}

/** Rejects when the connection ends, with its error if there is one. */
export function rejectOnClose(socket: Socket): Promise<never> {
  return new Promise((_, reject) => {
    const onClose = () => reject(socket.errored ?? Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
    if (socket.closed) onClose()
    else socket.once('close', onClose)
  })
}
