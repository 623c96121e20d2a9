/** Runs the command line with the streams and the exit status of this process. `mailflow.js` starts it. */
import { createInterface } from 'node:readline/promises'
import { buffer } from 'node:stream/consumers'
import { run } from './run.ts'

// A reader such as `head` closes the pipe when it has read enough. That is not an error: the command goes on without
// output, because its work must not end halfway.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })

/** The question goes to standard error, so that standard output holds only the result. */
async function prompt(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(question)
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
})
