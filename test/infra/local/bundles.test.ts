import assert from 'node:assert/strict'
import { existsSync, lstatSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sourcesDigest } from '../../../infra/local/bundles.ts'
import { synthesise } from '../../../infra/local/synthesise.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-bundles-'))
after(() => rmSync(folder, { recursive: true }))

test('what was bundled once is taken again, and is what the template names', () => {
  const before = sourcesDigest()
  const first = synthesise({}, folder)
  const second = synthesise({}, folder)
  // Whoever edits a source meanwhile gets a bundle of what it is now.
  if (sourcesDigest() !== before) return
  assert.deepEqual(second.template, first.template)
  const paths = [...second.assets.values()].filter((path) => existsSync(join(path, 'index.mjs')))
  assert.ok(paths.length >= 6, 'the functions have no bundles')
  assert.ok(
    paths.every((path) => lstatSync(path).isSymbolicLink()),
    paths.join(),
  )
})
