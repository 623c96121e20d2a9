/** CSV (RFC 4180): a header line, lines that end with CR LF, and quotes where a value needs them. Pure. */
import type { RouteResponse } from './route.ts'

export type CsvValue = string | number | boolean | null | undefined

export function csvText(
  columns: readonly string[],
  rows: readonly Readonly<Record<string, CsvValue>>[],
): string {
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))]
  return lines.map((values) => `${values.map(csvField).join(',')}\r\n`).join('')
}

/** @param name name of the file that a browser stores, without its extension */
export const csvResponse = (name: string, csv: string): RouteResponse => ({
  status: 200,
  headers: {
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': `attachment; filename="${name}.csv"`,
  },
  body: csv,
})

function csvField(value: CsvValue): string {
  const text = String(value ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
