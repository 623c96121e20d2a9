/** Programs started by tests and benchmarks. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { choosePort } from '../../infra/local/ingress.ts'

/**
 * Resolves with the first line on standard output. Rejects when the process ends before it. Later lines are read and
 * dropped.
 */
export async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`ended with ${code}`)))
  const [line] = await Promise.race([once(lines, 'line'), ended])
  // A full pipe would block the program.
  lines.on('line', () => {})
  return line
}

const returnedPorts = new Set<number>()

/**
 * Returns a port of the loopback interface that was free a moment ago, and never the same twice: two servers of Postfix
 * that start at the same time can share a port, and each then gets some of the other's connections.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await choosePort(0, 'a test')
    if (returnedPorts.has(port)) continue
    returnedPorts.add(port)
    return port
  }
}

/** Waits until a server accepts connections to this port of the loopback interface, or the signal aborts. */
export async function untilListening(port: number, signal?: AbortSignal): Promise<void> {
  while (!signal?.aborted) {
    const socket = connect({ port, host: '127.0.0.1' })
    const isListening = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isListening) return
    await delay(20)
  }
}
