import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { cacheFolder, linkBundles, sourcesDigest } from '../../../infra/local/bundle-cache.ts'
import { synthesise } from '../../../infra/local/synthesise.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-synthesise-'))
after(() => rmSync(folder, { recursive: true }))

test('a second start with the same settings uses the stored template and the cached bundles', async () => {
  const first = await synthesise({}, folder)
  const assemblies = readdirSync(folder)
  const second = await synthesise({}, folder)
  assert.deepEqual(second, first)
  assert.deepEqual(readdirSync(folder), assemblies, 'CDK synthesises once')
  const bundles = [...second.assets.values()].filter((path) => existsSync(join(path, 'index.cjs')))
  assert.ok(bundles.length >= 5, 'the functions have no bundles')
  for (const path of bundles) assert.equal(dirname(path), cacheFolder(sourcesDigest()))
})

test('a start with other settings synthesises another template with the same bundles', async () => {
  const [shipped, other] = [await synthesise({}, folder), await synthesise({ logRetentionDays: 7 }, folder)]
  assert.notDeepEqual(other.template, shipped.template)
  const bundles = ({ assets }: typeof shipped) =>
    [...assets.values()].filter((path) => existsSync(join(path, 'index.cjs')))
  assert.deepEqual(bundles(other), bundles(shipped))
})

test('linkBundles links no bundle for sources that were never bundled', () => {
  linkBundles('0'.repeat(32), folder)
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('asset.')),
    [],
  )
})
