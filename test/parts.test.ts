import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { alone, filesOf, processesFor, root } from './parts.ts'

const testFiles = globSync('test/**/*.test.ts', { cwd: root }).sort()

test('each test file belongs to exactly one part', () => {
  assert.deepEqual(Object.values(filesOf).flat().sort(), testFiles)
})

for (const part of ['unit', 'local'] as const)
  test(`each file of the part ${part} runs in exactly one process`, () => {
    assert.deepEqual(processesFor(filesOf[part]).flat().sort(), filesOf[part])
  })

test('npm test and npm run test:long together run every part, and CI runs both', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const words = `${scripts.test} ${scripts['test:long']}`.split(' ')
  for (const part of Object.keys(filesOf)) assert.ok(words.includes(part), part)
  assert.match(readFileSync(join(root, '.ci/run'), 'utf8'), /npm test\b[\s\S]*npm run test:long\b/)
})

const invalidArguments: [args: string[], message: RegExp][] = [
  [[], /no part is named/],
  [['unti'], /no part is named before "unti"/],
  [['unti', 'types'], /"unti" is no part/],
  [['unit', 'test/shared/tsl'], /"test\/shared\/tsl" is no test file or folder of unit/],
  [['unit', 'test/local/start.test.ts'], /"test\/local\/start\.test\.ts" is no test file or folder of unit/],
]
for (const [args, message] of invalidArguments)
  test(`test/run.ts fails before any part runs with the arguments "${args.join(' ')}"`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['test/run.ts', ...args], {
      cwd: root,
      encoding: 'utf8',
    })
    assert.deepEqual([status, stdout], [2, ''])
    assert.match(stderr, message)
  })

test('each pattern for files that run alone matches a file', () => {
  const files = Object.values(filesOf).flat()
  const unmatched = alone.flatMap(([, ...patterns]) =>
    patterns.filter((pattern) => !files.some((file) => pattern.test(file))),
  )
  assert.deepEqual(unmatched, [])
})
