/** The table of attacks in SECURITY.md is short, and names tests that exist. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

const root = join(import.meta.dirname, '..')
const maxWords = 750

const section =
  /^## Attacks\n[\s\S]*?(?=^## )/m.exec(readFileSync(join(root, 'SECURITY.md'), 'utf8'))?.[0] ?? ''

/** Attack, defence, limit and tests of each row. */
const rows = section
  .split('\n')
  .filter((line) => /^\| (?!Attack )/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, attack = '', , , tests = '']) => ({ attack, tests: tests.split('; ') }))

/** Whether a string in the file contains the part of a title. */
function containsTest(file: string, part: string): boolean {
  const lines = readFileSync(join(root, file), 'utf8').split('\n')
  return lines.some((line) => {
    const [start = '', ...rest] = line.split(part)
    return rest.length > 0 && /['"`]/.test(start) && !/^\s*(?:\*|\/\/|\/\*)/.test(line)
  })
}

describe('the attacks in SECURITY.md', () => {
  test(`have at most ${maxWords} words`, () => {
    const words = section.split(/\s+/).filter((word) => word !== '').length
    assert.ok(words <= maxWords, `${words} words`)
  })
  test('are at least twenty, so that the next tests check something', () => assert.ok(rows.length >= 20))
  for (const { attack, tests } of rows)
    test(`have a test that exists: ${attack}`, () => {
      for (const text of tests) {
        const [, file = '', title = ''] = /^`(test\/[\w./-]+)`: (.+)$/.exec(text) ?? []
        assert.ok(existsSync(join(root, file)) && title !== '', text)
        assert.ok(containsTest(file, title), `${file} has no test "${title}"`)
      }
    })
})
