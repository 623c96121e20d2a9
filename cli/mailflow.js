#!/usr/bin/env node
/**
 * Starts the command line, which is TypeScript. A Node that is too old for TypeScript starts the Node in node_modules
 * instead. This file is plain JavaScript, so any Node can run it. The compile cache halves the time of the next start.
 */
import { spawn } from 'node:child_process'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const pathOf = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const compiled = pathOf('../node_modules/.cache/mailflow-cli')

if (process.features.typescript) {
  module.enableCompileCache(compiled)
  await import('./main.ts')
} else {
  const node = module.createRequire(import.meta.url).resolve('node/bin/node')
  const env = { NODE_COMPILE_CACHE: compiled, ...process.env }
  const child = spawn(node, [pathOf('main.ts'), ...process.argv.slice(2)], { stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', ({ message }) => {
    process.stderr.write(
      `mailflow: cannot start the Node.js in node_modules (${message}). Run "npm ci" first.\n`,
    )
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 1
  })
}
