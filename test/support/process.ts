/** Programs started by tests and benchmarks. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
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

/** Returns a port of the loopback interface that was free a moment ago. */
export const freePort = (): Promise<number> => choosePort(0, 'a test')
