import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const rows = new Set([...read('docs/rfcs.md').matchAll(/^\| (\d+) \|/gm)].map(([, number]) => number))

test('every RFC that the code cites has a row in docs/rfcs.md', () => {
  const cited = globSync('{cli,functions,infra,shared}/**/*.ts', { cwd: root }).flatMap((file) =>
    [...read(file).matchAll(/\bRFC (\d+)/g)].map(([, number = '']) => ({ file, number })),
  )
  assert.ok(cited.length > 50)
  assert.deepEqual(
    cited.filter(({ number }) => !rows.has(number)),
    [],
  )
})
