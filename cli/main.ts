/** Runs the command line with the streams and the exit status of this process. `mailflow.js` starts it. */
import { createInterface } from 'node:readline/promises'
import { buffer } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { CommandError } from './command-error.ts'
import { run } from './run.ts'

// A reader such as `head` closes the pipe when it has read enough. That is not an error: the command goes on without
// output, because its work must not end halfway.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return
    process.stderr.write(`mailflow: cannot write the output: ${error.message}\n`)
    process.exit(1)
  })

let progress: string | null = null
let hasStatus = false

function printStatus(text: string | null): void {
  if (text === null && !hasStatus) return
  hasStatus = text !== null
  // A longer line would wrap, and only its last part would be replaced.
  process.stderr.write(`\r\u001b[K${(text ?? '').slice(0, (process.stderr.columns || 80) - 1)}`)
}

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => {
    printStatus(null)
    if (progress !== null) process.stderr.write(`mailflow: interrupted; ${progress}\n`)
    process.exit(status)
  })

/** The question goes to standard error, so that standard output holds only the result. */
async function prompt(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const { promise: closed, reject } = Promise.withResolvers<never>()
  // Ctrl-D, or a terminal that goes away.
  terminal.once('close', () => reject(new CommandError('cancelled; nothing was written')))
  try {
    return await Promise.race([terminal.question(question), closed])
  } catch (error) {
    // Ctrl-C.
    if (error instanceof Error && error.name === 'AbortError')
      throw new CommandError('cancelled; nothing was written')
    throw error
  } finally {
    terminal.close()
  }
}

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  readInput: () => buffer(process.stdin),
  ...(process.stdin.isTTY && { prompt }),
  ...(process.stdout.columns > 0 && { columns: process.stdout.columns }),
  now: Date.now,
  sleep: (ms) => setTimeout(ms),
  ...(process.stderr.isTTY && { printStatus }),
  setProgress(text) {
    progress = text
  },
})
