/**
 * CSV (RFC 4180): a header line, lines that end with CR LF, and quotes where a value needs them. UTF-8 without a byte
 * order mark, which other readers would take as part of the first column's name. Pure.
 *
 * The attack: a client chooses addresses, Message-IDs, EHLO names and replies. A spreadsheet takes a value that begins
 * with = + - or @ as a formula, which can start a program or send cells to a web server when an administrator opens the
 * file; quotes around the value do not help. The defence, as OWASP recommends
 * (https://owasp.org/www-community/attacks/CSV_Injection): an apostrophe before such a text, which a spreadsheet then
 * shows as text. Numbers are not changed. A text that begins with an apostrophe gets another one, so a program that
 * removes one apostrophe from the beginning of a value has the exact text. Mail rarely has such texts: a Message-ID begins
 * with <, a reply with its code, an address with a letter or digit. Not covered: a spreadsheet that splits lines at
 * semicolons or tabs instead of commas.
 */

export type CsvValue = string | number | boolean | null | undefined

/** What a spreadsheet may take as the beginning of a formula, also in full width, and the apostrophe itself. */
export const formulaStarts: readonly string[] = [..."'=+-@\t\r\n＝＋－＠"]

/** For the documents of the API. */
export const csvDescription =
  "RFC 4180, in UTF-8. A text that begins with = + - @, a tab, a line break or ' has an apostrophe before it, so that no spreadsheet runs it as a formula. Remove one apostrophe to get the text"

export const csvText = (
  columns: readonly string[],
  rows: readonly Readonly<Record<string, CsvValue>>[],
): string => `${csvLine(columns)}${csvLines(columns, rows)}`

/** Returns the lines of the rows without the header line. */
export const csvLines = (
  columns: readonly string[],
  rows: readonly Readonly<Record<string, CsvValue>>[],
): string => rows.map((row) => csvLine(columns.map((column) => row[column]))).join('')

const csvLine = (values: readonly CsvValue[]): string => `${values.map(csvField).join(',')}\r\n`

function csvField(value: CsvValue): string {
  const text =
    typeof value === 'string' && formulaStarts.includes(value.charAt(0)) ? `'${value}` : String(value ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
