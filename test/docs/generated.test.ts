import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { consoleTypes } from './console-types.ts'
import { withCostSection } from './cost.ts'
import { consoleTypesFile, folder, pages, readme } from './generate.ts'
import { descriptionOf, settings } from './settings.ts'

describe('docs/generated/', () => {
  for (const [file, page] of Object.entries(pages))
    test(`${file} is what "npm run docs" writes`, () => {
      const path = join(folder, file)
      const written = existsSync(path) ? readFileSync(path, 'utf8') : ''
      assert.ok(written === page(), `docs/generated/${file} differs from the code: run "npm run docs"`)
    })

  test('has only generated pages', () =>
    assert.deepEqual(readdirSync(folder).sort(), Object.keys(pages).sort()))
})

test('the cost in the README is what "npm run docs" writes', () => {
  const written = readFileSync(readme, 'utf8')
  assert.ok(written === withCostSection(written), 'README.md differs from the recordings: run "npm run docs"')
})

test('the types of the console are what "npm run docs" writes', async () => {
  const types = await consoleTypes()
  assert.ok(
    readFileSync(consoleTypesFile, 'utf8') === types,
    'functions/console/app/api/types.ts differs from the API: run "npm run docs"',
  )
})

test('every setting of docs/generated/settings.md has a description', () => {
  const without = settings.filter(({ path }) => !descriptionOf(path))
  assert.deepEqual(
    without.map(({ path }) => path),
    [],
  )
})
