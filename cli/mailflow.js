#!/usr/bin/env node
/**
 * Starts the command line. It is TypeScript, which the Node on the machine may be too old to run; the project brings
 * one that is not. This file is plain JavaScript, so that any Node can read it.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

if (process.features.typescript) await import('./main.ts')
else {
  const node = createRequire(import.meta.url).resolve('node/bin/node')
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', ({ message }) => {
    process.stderr.write(`mailflow: the project's own Node does not start (${message}). Run npm ci first.\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 1
  })
}
