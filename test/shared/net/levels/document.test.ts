/** docs/tls-levels.md explains every level, every code of the generated tables, and every source of a requirement. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { PolicySource, TlsLevel } from '../../../../shared/contract/message.ts'
import { cellsOf, chapters } from './expected.ts'

const text = readFileSync(join(import.meta.dirname, '../../../../docs/tls-levels.md'), 'utf8')
/** The first cells of a table's rows, up to the next heading. */
const firstCells = (heading: string): string[] =>
  (text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| `') || line.startsWith('| …'))
    .map((line) => line.split('|')[1] ?? '')

/** Codes that only a next hop's own refusal has: the page need not explain them. */
const ofServers = new Set(['4.3.2', '4.7.1', '5.3.2', '5.7.1'])

describe('docs/tls-levels.md', () => {
  it('explains every level', () => {
    const levels = firstCells('The levels').flatMap((cell) => /^ `(\w+)` $/.exec(cell)?.[1] ?? [])
    assert.deepEqual(levels, TlsLevel.options)
  })

  it('explains every code of the tables', () => {
    const explained = new Set(
      firstCells('The codes, and who can fix it').flatMap((cell) => cell.match(/[45]\.\d+\.\d+/g) ?? []),
    )
    const used = chapters.flatMap(({ rows }) =>
      rows.flatMap((row) => cellsOf(row).flatMap((cell) => cell.match(/[45]\.\d+\.\d+/g) ?? [])),
    )
    assert.ok(used.length > 100)
    for (const code of new Set(used)) assert.ok(explained.has(code) || ofServers.has(code), code)
  })

  it('names every source of a requirement', () => {
    const patterns: Record<PolicySource, RegExp> = {
      Connector: /\*\*The connector\*\*/,
      Dane: /\*\*The host's TLSA records\*\*/,
      MtaSts: /\*\*The domain's MTA-STS policy\*\*/,
      RequireTls: /\*\*`REQUIRETLS`\*\*/,
      Opportunistic: /Otherwise TLS is opportunistic/,
    }
    for (const source of PolicySource.options) assert.match(text, patterns[source])
  })
})
