/**
 * One DNS query to one name server in the clear. The attack: an off-path attacker guesses port and identifier and
 * answers first. The defence: each query has its own socket on a random port, connected to the server's address, so the
 * system drops datagrams from elsewhere. After too many wrong guesses the query goes over TCP. The limit: an attacker
 * on the path.
 */
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { NameServerAddress } from '../../contract/name-server.ts'
import { Frames, frame } from './frames.ts'

/** `code`: that of the system, or `ETIMEOUT`, `EBADRESP`. */
export interface TransportFailure {
  kind: 'Unanswered'
  code: string
}

/** Decodes a message; null when it is not the reply. Must not throw. */
export type Reader<T> = (octets: Buffer) => T | null

/** Wrong datagrams before the query is abandoned. */
const mostGuesses = 32

/** @param wait milliseconds */
export function askByDatagram<T>(
  { ip, port }: NameServerAddress,
  query: Buffer,
  read: Reader<T>,
  wait: number,
  signal: AbortSignal,
): Promise<T | TransportFailure> {
  const socket = createSocket(isIPv6(ip) ? 'udp6' : 'udp4')
  return settle<T>(
    wait,
    signal,
    (end, isOpen) => {
      let guesses = 0
      socket.on('error', (error) => end(failed(error)))
      socket.on('message', (octets) => {
        const answer = read(octets)
        if (answer !== null) return end(answer)
        guesses += 1
        if (guesses >= mostGuesses) end({ kind: 'Unanswered', code: 'EBADRESP' })
      })
      // Also called with an error, and after the query has ended.
      socket.connect(port, ip, (error?: Error | null) => {
        if (error) end(failed(error))
        else if (isOpen()) socket.send(query)
      })
    },
    () => socket.close(),
  )
}

/** RFC 7766: over TCP, each message has its length in two octets before it. */
export function askByStream<T>(
  { ip, port }: NameServerAddress,
  query: Buffer,
  read: Reader<T>,
  wait: number,
  signal: AbortSignal,
): Promise<T | TransportFailure> {
  const socket = connect({ host: ip, port })
  return settle<T>(
    wait,
    signal,
    (end) => {
      const frames = new Frames()
      socket.on('error', (error) => end(failed(error)))
      socket.on('close', () => end({ kind: 'Unanswered', code: 'ECONNRESET' }))
      socket.on('data', (octets) => {
        const [message] = frames.take(octets)
        if (message) end(read(message) ?? { kind: 'Unanswered', code: 'EBADRESP' })
      })
      socket.write(frame(query))
    },
    () => socket.destroy(),
  )
}

export type End<T> = (result: T | TransportFailure) => void

/** The first result counts; then everything is closed. */
export function settle<T>(
  wait: number,
  signal: AbortSignal,
  begin: (end: End<T>, isOpen: () => boolean) => void,
  close: () => void,
): Promise<T | TransportFailure> {
  return new Promise((resolve) => {
    let ended = false
    const late = () => end({ kind: 'Unanswered', code: 'ETIMEOUT' })
    const timer = setTimeout(late, wait)
    const end: End<T> = (result) => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      signal.removeEventListener('abort', late)
      close()
      resolve(result)
    }
    signal.addEventListener('abort', late, { once: true })
    if (signal.aborted) late()
    else begin(end, () => !ended)
  })
}

const failed = (error: Error): TransportFailure => ({
  kind: 'Unanswered',
  code: (error as NodeJS.ErrnoException).code ?? 'UNKNOWN',
})
