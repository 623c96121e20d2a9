import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const ledger = read('docs/rfcs.md')
const rows = new Set([...ledger.matchAll(/^\| (\d+) \|/gm)].map(([, number]) => number))

test('every RFC that the code cites stands in the ledger', () => {
  const cited = globSync('{infra,functions,shared}/**/*.ts', { cwd: root }).flatMap((file) =>
    [...read(file).matchAll(/\bRFC (\d+)/g)].map(([, number = '']) => ({ file, number })),
  )
  assert.ok(cited.length > 50)
  assert.deepEqual(
    cited.filter(({ number }) => !rows.has(number)),
    [],
  )
})

test('every place that the ledger names is there', () => {
  const places = [...ledger.matchAll(/`((?:functions|infra|shared)\/[^`]*)`/g)].map(([, place = '']) => place)
  assert.ok(places.length > 30)
  assert.deepEqual(
    places.filter((place) => !existsSync(join(root, place))),
    [],
  )
})
