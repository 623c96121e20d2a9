/** The command line as a process: its streams, its signals, its exit status. `mailflow.js` starts it. */
import { buffer } from 'node:stream/consumers'
import { run } from './run.ts'

// A reader that has gone, such as `head`, has read what it wanted.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  readInput: () => buffer(process.stdin),
  now: Date.now,
})
