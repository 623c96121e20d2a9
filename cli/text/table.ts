/** Formats text in columns and paragraphs. */
import { printable } from './format.ts'

/**
 * Pads each column to the length of its longest cell, and separates columns by two spaces. All rows have the same
 * number of cells. No cell is cut, so that users can copy the text.
 */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (maxWidths, row) => row.map((cell, column) => Math.max(maxWidths[column] ?? 0, cell.length)),
    [],
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Each cell is text from outside. */
export const table = (heading: readonly string[], rows: readonly (readonly string[])[]): string =>
  alignColumns([heading, ...rows.map((row) => row.map(printable))])

/** Breaks text at spaces into lines of at most `width` characters. A longer word is a line of its own. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.replaceAll(/\s+/g, ' ').trim().split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** Wraps a paragraph and indents each line by `columns` spaces. */
export const indentParagraph = (text: string, columns: number, width = 110): string =>
  wrapText(text, width - columns)
    .map((line) => `${' '.repeat(columns)}${line}`)
    .join('\n')
