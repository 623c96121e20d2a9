/** The benchmarks of events and connectors run, with little work. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)

for (const [script, ...options] of [
  ['events.ts', '--sizes', '1000'],
  ['connectors.ts', '--size', '1000'],
])
  test(`${script} prints its table`, async () => {
    const args = ['--expose-gc', join(import.meta.dirname, script ?? ''), ...options]
    const { stdout } = await run(process.execPath, args)
    assert.match(stdout, /^\|.*\d.*\|$/m)
  })
