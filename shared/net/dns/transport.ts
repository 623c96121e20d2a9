/**
 * One DNS query to one name server in the clear. The attack: an off-path attacker guesses port and identifier and
 * answers first. The defence: each query has its own socket on a random port, connected to the server's address, so the
 * system drops datagrams from elsewhere. After too many wrong guesses the query goes over TCP. Not covered: an attacker
 * on the path.
 */
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { NameServerAddress } from '../../contract/name-server.ts'
import { encodeFrame, FrameReader } from './frames.ts'

/** `code`: an error code of the system, `ETIMEOUT` or `EBADRESP`. */
export interface TransportFailure {
  kind: 'Unanswered'
  code: string
}

/** Decodes a message; null when it is not the reply. Must not throw. */
export type Reader<T> = (octets: Buffer) => T | null

/** After this number of wrong datagrams, the query over UDP is abandoned. */
const maxWrongReplies = 32

export function queryOverUdp<T>(
  { ip, port }: NameServerAddress,
  query: Buffer,
  read: Reader<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | TransportFailure> {
  const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4')
  return settleOnce<T>(
    timeoutMs,
    signal,
    (end, isOpen) => {
      let wrongReplies = 0
      socket.on('error', (error) => end(transportFailure(error)))
      socket.on('message', (octets) => {
        const answer = read(octets)
        if (answer !== null) return end(answer)
        wrongReplies += 1
        if (wrongReplies >= maxWrongReplies) end({ kind: 'Unanswered', code: 'EBADRESP' })
      })
      // This callback is also called with an error, and after the query has ended.
      socket.connect(port, ip, (error?: Error | null) => {
        if (error) end(transportFailure(error))
        else if (isOpen()) socket.send(query)
      })
    },
    () => socket.close(),
  )
}

/** Sends the query over TCP (RFC 7766). */
export function queryOverTcp<T>(
  { ip, port }: NameServerAddress,
  query: Buffer,
  read: Reader<T>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<T | TransportFailure> {
  const socket = connect({ host: ip, port })
  return settleOnce<T>(
    timeoutMs,
    signal,
    (end) => {
      const frames = new FrameReader()
      socket.on('error', (error) => end(transportFailure(error)))
      socket.on('close', () => end({ kind: 'Unanswered', code: 'ECONNRESET' }))
      socket.on('data', (octets) => {
        const [message] = frames.read(octets)
        if (message) end(read(message) ?? { kind: 'Unanswered', code: 'EBADRESP' })
      })
      socket.write(encodeFrame(query))
    },
    () => socket.destroy(),
  )
}

export type Finish<T> = (result: T | TransportFailure) => void

/** Resolves with the first result, timeout or abort. Calls `close` before it resolves. */
export function settleOnce<T>(
  timeoutMs: number,
  signal: AbortSignal,
  begin: (end: Finish<T>, isOpen: () => boolean) => void,
  close: () => void,
): Promise<T | TransportFailure> {
  return new Promise((resolve) => {
    let isSettled = false
    const onTimeout = () => end({ kind: 'Unanswered', code: 'ETIMEOUT' })
    const timer = setTimeout(onTimeout, timeoutMs)
    const end: Finish<T> = (result) => {
      if (isSettled) return
      isSettled = true
      clearTimeout(timer)
      signal.removeEventListener('abort', onTimeout)
      close()
      resolve(result)
    }
    signal.addEventListener('abort', onTimeout, { once: true })
    if (signal.aborted) onTimeout()
    else begin(end, () => !isSettled)
  })
}

const transportFailure = (error: Error): TransportFailure => ({
  kind: 'Unanswered',
  code: (error as NodeJS.ErrnoException).code ?? 'UNKNOWN',
})
