/** Reads the cases of DMARC in test/fixtures/dmarc-cases.txt. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface DmarcCase {
  title: string
  /** Of RFC 9989, unless it names another RFC. */
  clause: string
  /** The value of each From: field. */
  from: readonly string[]
  /** Result and domain. */
  spf: string
  /** Result and tag d= of each signature. */
  dkim: readonly string[]
  /** TXT records by name; null: the query fails. */
  txt: Readonly<Record<string, readonly string[] | null>>
  /** Names with an address; `*NAME` of the other family, `ALIAS>TARGET` for an alias, `!NAME` for a failing query. */
  names: readonly string[]
  /** Result, policy or `-`, and the aligned mechanisms. */
  expected: string
}

const file = join(import.meta.dirname, '../fixtures/dmarc-cases.txt')

const list = (text: string, separator: string): string[] => (text === '' ? [] : text.split(separator))

export const dmarcCases: readonly DmarcCase[] = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const cells = line.split('|').map((cell) => cell.trim())
    if (cells.length !== 8) throw new Error(`${file}: not eight columns: ${line}`)
    const [title, clause, from, spf, dkim, records, names, expected] = cells as [
      string,
      ...string[],
    ] as Columns
    return {
      ...{ title, clause, expected, spf: spf || 'none x.example' },
      from: list(from, ' ++ ').map((value) => value.replaceAll('\\r\\n', '\r\n')),
      dkim: list(dkim, ', '),
      txt: Object.fromEntries(list(records, ' & ').map(readRecord)),
      names: list(names, ' '),
    }
  })

type Columns = [string, string, string, string, string, string, string, string]

function readRecord(text: string): [name: string, records: string[] | null] {
  const [name, value] = text.split(/: (.*)/) as [string, string]
  if (value === 'fails') return [`_dmarc.${name}`, null]
  if (!value.startsWith('[')) return [`_dmarc.${name}`, [`v=DMARC1; ${value}`]]
  return [`_dmarc.${name}`, value.slice(1, -1).split('] [')]
}
