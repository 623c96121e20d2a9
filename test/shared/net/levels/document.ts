/**
 * The tables of docs/tls-levels.md, from the same rows that the tests expect. Run by itself it writes them there:
 * `node test/shared/net/levels/document.ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Chapter, cellsOf, chapters, type LevelName, levelNames, type Row } from './expected.ts'

export const page = join(import.meta.dirname, '../../../../docs/tls-levels.md')

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
  ReportOnly: 'trial',
  'TLS-Required: No': 'No',
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

function cell(text: string): string {
  const [what = '', recorded] = text.split('/')
  const words = what === 'tls' ? 'TLS' : what
  return recorded === undefined ? words : `${words} (${recorded})`
}

/** Levels at which a chapter's rows all come to the same, in their order. */
function groupsOf(rows: readonly Row[]): LevelName[][] {
  const byContent = Map.groupBy(levelNames, (_, column) => rows.map((row) => cellsOf(row)[column]).join(' '))
  return [...byContent.values()]
}

function headOf(group: readonly LevelName[], groups: readonly LevelName[][]): string {
  const most = Math.max(...groups.map(({ length }) => length))
  if (groups.length === 1) return 'at every level'
  return group.length === most && most > 4 ? 'all others' : group.map((name) => columns[name]).join(', ')
}

function rowOf(row: Row, groups: readonly LevelName[][]): string {
  const cells = cellsOf(row)
  const shown = groups.map(([first]) => cell(cells[levelNames.indexOf(first as LevelName)] ?? ''))
  return line([row.does.join('; ').replaceAll('*', '\\*'), ...shown])
}

function tableOf({ title, subject, rows }: Chapter): string {
  const groups = groupsOf(rows)
  const head = [`${subject} …`, ...groups.map((group) => headOf(group, groups))]
  const body = rows.map((row) => rowOf(row, groups))
  return [`### ${title}`, '', line(head), line(head.map(() => '---')), ...body].join('\n')
}

export const tables = (): string => chapters.map((chapter) => tableOf(chapter)).join('\n\n')

const [begin, end] = ['<!-- tables -->', '<!-- end of tables -->']

/** @throws Error when the marks are not there */
export function withTables(text: string): string {
  const [before, rest] = text.split(begin)
  const [, after] = rest?.split(end) ?? []
  if (before === undefined || after === undefined) throw new Error(`${page}: no ${begin} … ${end}`)
  return `${before}${begin}\n\n${tables()}\n\n${end}${after}`
}

if (import.meta.main) writeFileSync(page, withTables(readFileSync(page, 'utf8')))
