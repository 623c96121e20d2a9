import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const folder = join(import.meta.dirname, 'support')

test('test/support/README.md names each file of test/support once, and no other file', () => {
  const index = readFileSync(join(folder, 'README.md'), 'utf8')
  const firstColumn = index.match(/^\| `[^|]+/gm)?.join('') ?? ''
  const indexedFiles = [...firstColumn.matchAll(/`([^`]+)`/g)].map(([, file]) => file)
  assert.deepEqual(indexedFiles.sort(), globSync('**/*.ts', { cwd: folder }).sort())
})
