/**
 * Runs several test files in one process, one after the other: what they import is loaded once. Each file is a suite,
 * so its hooks are its own. Usage: `node test/support/together.ts FILE …`.
 */
import { resolve } from 'node:path'
import { describe } from 'node:test'

// One at a time: Node never ends the import of two graphs that wait for the same module at their top levels.
describe('files', async () => {
  // One at a time: Node never ends the import of two graphs that wait for the same module at their top levels. All of
  // them before the first test runs: a test may stop the clock, for which an import waits.
  for (const file of process.argv.slice(2))
    await new Promise<unknown>((imported, failed) => {
      describe(file, async () => {
        await import(resolve(file)).then(imported, failed)
      })
    })
})
