/** Programs started by tests and benchmarks. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { createInterface } from 'node:readline'

/** The first line on standard output; rejects when the process ends without one. What follows is read and dropped. */
export async function firstLine(child: ChildProcess): Promise<string> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`ended with ${code}`)))
  const [line] = await Promise.race([once(lines, 'line'), ended])
  // A pipe that fills would stop the program.
  lines.on('line', () => {})
  return line
}

/** A port of the loopback interface that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
