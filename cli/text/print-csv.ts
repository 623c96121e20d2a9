/** Prints lists as CSV, with the columns of the API. Lines end with LF, because `run` prints no CR. */
import { type CsvValue, csvLines, csvText } from '../../shared/http-api/csv.ts'
import type { Io } from '../command.ts'
import { UsageError } from '../command-error.ts'

type Rows = readonly Readonly<Record<string, CsvValue>>[]

export const csvOption = {
  csv: { type: 'boolean', description: 'print CSV' },
} as const

export function checkFormat({ csv, json }: { csv: boolean; json: boolean }): void {
  if (csv && json) throw new UsageError('--csv cannot be used with --json')
}

/**
 * Prints a line for each row of each entry when the entry comes, so that a long list needs little memory.
 * @param limit maximum number of entries
 * @returns whether there are more entries
 */
export async function printCsv(
  entries: AsyncIterable<unknown> | Iterable<unknown>,
  limit: number,
  { columns, rowsOf }: { columns: readonly string[]; rowsOf(entry: unknown): Rows },
  io: Io,
): Promise<boolean> {
  let header = csvText(columns, [])
  let count = 0
  for await (const entry of entries) {
    if (count++ === limit) return true
    io.out(withoutCr(`${header}${csvLines(columns, rowsOf(entry))}`))
    header = ''
  }
  if (header !== '') io.out(withoutCr(header))
  return false
}

const withoutCr = (text: string): string => text.replaceAll('\r\n', '\n')
