/**
 * Runs several test files in one process, one after the other, so that common imports are loaded once. Each file is
 * a suite with its own hooks. Usage: `node test/support/together.ts FILE …`.
 */
import { resolve } from 'node:path'
// Loaded first: if reflect-metadata were loaded before node:tls, smtp-server would get a node:tls without functions.
import 'node:tls'
import { describe } from 'node:test'

describe('files', async () => {
  // One import at a time: Node never completes concurrent imports of two files that wait for the same module.
  // All imports before the first test: a test may stop the clock, and an import needs the clock.
  for (const file of process.argv.slice(2))
    await new Promise<unknown>((imported, failed) => {
      describe(file, async () => {
        await import(resolve(file)).then(imported, failed)
      })
    })
})
