/**
 * Runs several test files in one process, one after the other: what they import is loaded once. Each file is a suite,
 * so its hooks are its own. Usage: `node test/support/together.ts FILE …`.
 */
import { resolve } from 'node:path'
import { describe } from 'node:test'

let imported: Promise<unknown> = Promise.resolve()

describe('files', () => {
  for (const file of process.argv.slice(2))
    describe(file, async () => {
      // One at a time: Node never ends an import of two graphs that wait for the same module at their top levels.
      imported = imported.then(() => import(resolve(file)))
      await imported
    })
})
