/** Tests the restore drill: it finds no difference, and it finds what is missing from exports that were altered. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { readItems, writeItems } from './exports.ts'
import { exportAndDestroy, type Remains, restore } from './run-drill.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailflow-drill-'))
let remains: Remains

before(
  async () => {
    remains = await exportAndDestroy(join(folder, 'exports'), () => {})
  },
  { timeout: 120_000 },
)
after(async () => {
  await remains?.servers.stop()
  rmSync(folder, { recursive: true })
})

/** Restores from a copy of the exports. @returns the subjects with their differences */
async function restoreAltered(alter: (folder: string) => void): Promise<Map<string, readonly string[]>> {
  const copy = mkdtempSync(join(folder, 'altered-'))
  cpSync(remains.folder, copy, { recursive: true })
  alter(copy)
  const comparisons = await restore({ ...remains, folder: copy }, () => {})
  return new Map(comparisons.map(({ subject, differences }) => [subject, differences]))
}

const different = (comparisons: Map<string, readonly string[]>) =>
  [...comparisons].filter(([, differences]) => differences.length > 0)

const removeItems = (copy: string, table: string, value: string) =>
  writeItems(
    copy,
    table,
    readItems(copy, table).filter((item) => !JSON.stringify(item).includes(value)),
  )

test('the drill finds a message and a connector that are missing from the exports', async () => {
  const [connector = ''] = Object.keys(remains.before['outbound connectors'] ?? {})
  const [waiting = ''] = Object.keys(remains.before['waiting recipients'] ?? {})
  const message = waiting.slice(0, 26)
  const comparisons = await restoreAltered((copy) => {
    removeItems(copy, 'connectors', connector)
    removeItems(copy, 'messages', message)
  })
  const missing = (key: string) => [`${key} is missing`]
  assert.deepEqual(comparisons.get('outbound connectors'), missing(connector))
  assert.deepEqual(comparisons.get('message traces'), missing(message))
  assert.ok(comparisons.get('waiting recipients')?.includes(`${waiting} is missing`))
  assert.match(comparisons.get('connectors.yaml')?.[0] ?? '', /^exit status 3\n/)
})

test('the drill finds that content is missing from the exports', async () => {
  const comparisons = await restoreAltered((copy) => {
    const content = join(copy, 'content')
    for (const file of readdirSync(content)) rmSync(join(content, file))
  })
  assert.deepEqual(
    different(comparisons).map(([subject]) => subject),
    ['delivered copies'],
  )
})

test('the drill finds no difference with the exports, and each message arrives once', async () => {
  const comparisons = await restoreAltered(() => {})
  assert.deepEqual(different(comparisons), [])
  assert.ok(comparisons.has('delivered copies'))
})
