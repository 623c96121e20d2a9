import {
  type Chapter,
  cellsOf,
  chapters,
  type LevelName,
  levelNames,
  type Row,
} from '../shared/net/levels/expected.ts'
import { page, table } from './markdown.ts'

const columns: Record<LevelName, string> = {
  Opportunistic: 'Opp.',
  EncryptionOnly: 'Enc.',
  CertificateValidation: 'Cert.',
  DomainValidation: 'Domain',
  'own CAs': 'own CAs',
  'TLS 1.3': '1.3',
  'MTA-STS enforce': 'STS',
  'MTA-STS testing': 'STS testing',
  'DANE 3 1 1': '3 1 1',
  'DANE 2 0 1': '2 0 1',
  'DANE unusable': 'unusable',
  REQUIRETLS: 'REQUIRETLS',
  ReportOnly: 'Report',
  'TLS-Required: No': 'No',
}

function cell(text: string): string {
  const [result = '', recordedCode] = text.split('/')
  const resultText = result === 'tls' ? 'TLS' : result
  return recordedCode === undefined ? resultText : `${resultText} (${recordedCode})`
}

/** Groups the levels that have the same results in all rows of a chapter. Keeps the levels' order. */
function groupsOf(rows: readonly Row[]): LevelName[][] {
  const byContent = Map.groupBy(levelNames, (_, column) => rows.map((row) => cellsOf(row)[column]).join(' '))
  return [...byContent.values()]
}

function headOf(group: readonly LevelName[], groups: readonly LevelName[][]): string {
  const max = Math.max(...groups.map(({ length }) => length))
  if (groups.length === 1) return 'at every level'
  return group.length === max && max > 4 ? 'all others' : group.map((name) => columns[name]).join(', ')
}

function rowOf(row: Row, groups: readonly LevelName[][]): string[] {
  const cells = cellsOf(row)
  const cellTexts = groups.map(([first]) => cell(cells[levelNames.indexOf(first as LevelName)] ?? ''))
  return [row.misbehaviours.join('; ').replaceAll('*', '\\*'), ...cellTexts]
}

function section({ title, subject, rows }: Chapter): string {
  const groups = groupsOf(rows)
  const head = [`${subject} …`, ...groups.map((group) => headOf(group, groups))]
  return `## ${title}\n\n${table(
    head,
    rows.map((row) => rowOf(row, groups)),
  )}`
}

export const tlsLevelsPage = (): string =>
  page(
    'What each TLS level does when a next hop misbehaves',
    '`test/shared/net/levels/expected.ts`',
    'The tests check each cell against a server with this misbehaviour. [TLS levels](../tls-levels.md) explains levels and codes.',
    [
      '- `TLS`: delivered, encrypted. `clear`: delivered without TLS.',
      '- A code from `4.`: deferred with it. A code from `5.`: bounced with it.',
      '- A code in brackets: recorded, not enforced.',
    ].join('\n'),
    [
      'Levels with the same results throughout a table share a column:',
      '',
      table(
        ['Column', 'Level'],
        [
          ['Opp., Enc., Cert., Domain', 'a connector with this `tlsSettings`, verified by the public roots'],
          ['own CAs', "`DomainValidation`, verified by the partner's own certificate authority"],
          ['1.3', '`EncryptionOnly` with `minimumTlsVersion: "TLSv1.3"`'],
          ['STS, STS testing', 'an MTA-STS policy in mode `enforce`, `testing`'],
          ['3 1 1, 2 0 1', "TLSA records of the server's key, of the root above its certificate"],
          ['unusable', 'only unusable TLSA records'],
          ['REQUIRETLS', 'the sender requests `REQUIRETLS`'],
          ['Report', '`DomainValidation` in mode `ReportOnly`'],
          ['No', '`TLS-Required: No`, with `3 1 1` and an MTA-STS policy published'],
        ],
      ),
    ].join('\n'),
    ...chapters.map(section),
  )
