/** CSV as PowerShell's `Export-Csv` writes it (quotes are doubled, the delimiter is the culture's). Pure. */
import { CommandError } from '../command-error.ts'

export interface CsvRow<Column extends string> {
  /** The line on which the row begins. */
  readonly line: number
  /** Empty for a column that the file does not have. */
  readonly values: Readonly<Record<Column, string>>
}

/** @throws CommandError for a malformed cell. @returns null when the file has none of the columns in its first line */
export function parseCsv<Column extends string>(
  text: string,
  columns: readonly Column[],
): CsvRow<Column>[] | null {
  // Windows PowerShell writes the type of the objects first.
  const typeLine = /^\uFEFF?#TYPE [^\n]*\n/.exec(text)?.[0] ?? ''
  const content = text.slice(typeLine.length).replace(/^\uFEFF/, '')
  const header = content.split(/\r?\n/, 1)[0] ?? ''
  const delimiter = [',', ';', '\t'].find((sign) => header.includes(sign)) ?? ','
  const [names, ...records] = recordsOf(content, delimiter, typeLine === '' ? 1 : 2)
  const indexes = columns.map((column) =>
    (names?.cells ?? []).findIndex((cell) => cell.trim().toLowerCase() === column.toLowerCase()),
  )
  if (indexes.every((index) => index < 0)) return null
  return records
    .filter(({ cells }) => cells.some((cell) => cell !== ''))
    .map(({ line, cells }) => ({
      line,
      values: Object.fromEntries(
        columns.map((column, position) => [column, (cells[indexes[position] ?? -1] ?? '').trim()]),
      ) as Record<Column, string>,
    }))
}

interface CsvRecord {
  readonly line: number
  readonly cells: readonly string[]
}

/**
 * A cell in quotes may contain delimiters, line ends and doubled quotes.
 * @throws CommandError for a quote that is neither doubled nor at the end of its cell: a row must not be lost
 */
function recordsOf(text: string, delimiter: string, firstLine: number): CsvRecord[] {
  const records: CsvRecord[] = []
  const plainCell = `[^"${delimiter}\\r\\n][^${delimiter}\\r\\n]*`
  const cell = new RegExp(`(?:"((?:[^"]|"")*)"|(${plainCell}|))(${delimiter}|\\r?\\n|$)`, 'y')
  let line = firstLine
  let record = { line, cells: [] as string[] }
  while (cell.lastIndex < text.length) {
    const match = cell.exec(text)
    if (match === null) throw new CommandError(`line ${line}: a quote in a CSV cell is not doubled`)
    const [whole, quoted, plain = '', end] = match
    record.cells.push(quoted?.replaceAll('""', '"') ?? plain)
    line += whole.split('\n').length - 1
    if (end === delimiter) continue
    records.push(record)
    record = { line, cells: [] }
  }
  return record.cells.length > 0 ? [...records, record] : records
}
