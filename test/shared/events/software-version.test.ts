import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { softwareVersion } from '../../../shared/contract/software-version.ts'

test('the version in events is that of package.json', () => {
  const path = new URL('../../../package.json', import.meta.url)
  assert.equal(softwareVersion, JSON.parse(readFileSync(path, 'utf8')).version)
})
