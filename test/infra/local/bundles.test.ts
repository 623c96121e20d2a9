import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import { layBundles, sourcesDigest } from '../../../infra/local/bundles.ts'
import { synthesise } from '../../../infra/local/synthesise.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-bundles-'))
after(() => rmSync(folder, { recursive: true }))

test('what was bundled once is taken again, and is what the template names', () => {
  const first = synthesise({}, folder)
  mkdirSync(`${folder}/laid`)
  layBundles(sourcesDigest(), `${folder}/laid`)
  const second = synthesise({}, folder)
  assert.deepEqual(second.template, first.template)
  const laid = readdirSync(`${folder}/laid`)
  const bundles = [...second.assets.values()].filter((path) => existsSync(join(path, 'index.mjs')))
  assert.ok(bundles.length >= 5, 'the functions have no bundles')
  for (const path of bundles) assert.ok(laid.includes(basename(path)), `${path} was not kept`)
})

test('a digest that nobody has kept lays nothing', () => {
  mkdirSync(`${folder}/empty`)
  layBundles('0'.repeat(32), `${folder}/empty`)
  assert.deepEqual(readdirSync(`${folder}/empty`), [])
})
