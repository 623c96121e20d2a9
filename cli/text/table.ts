/** Formats text in columns and paragraphs. */
import { cutToWidth, displayWidth, fillToWidth } from './display-width.ts'
import { printable } from './format.ts'

type Rows = readonly (readonly string[])[]

const gap = '  '
/** Indents the second and each further line of a row. */
const indent = '  '

/**
 * Pads each column to the width of its widest cell, and separates columns by two spaces. All rows have the same number
 * of cells. No cell is cut, so that users can copy the text.
 */
export const alignColumns = (rows: Rows): string => formatRows(rows, [uncut(rows)])

export interface Column {
  readonly heading: string
  /** The width to which a narrow terminal may cut the column. A column without it is never cut. */
  readonly minWidth?: number
  /** For numbers. */
  readonly isRightAligned?: boolean
}

/**
 * Fits rows to a terminal. If a row is too wide even with cut columns, its last columns continue on further lines. On
 * each line the columns to the right are cut first.
 * @param rows text from outside
 * @param width columns of the terminal; undefined: each row is one line, and no cell is cut
 */
export function table(columns: readonly Column[], rows: Rows, width: number | undefined): string {
  const cells = [columns.map(({ heading }) => heading), ...rows.map((row) => row.map(printable))]
  const widest = uncut(cells).map((column, index) => ({
    ...column,
    isRightAligned: columns[index]?.isRightAligned === true,
  }))
  return formatRows(cells, width === undefined ? [widest] : fitLines(widest, columns, width))
}

interface PlacedColumn {
  readonly index: number
  readonly width: number
  readonly isRightAligned?: boolean
}
/** The columns of one line, in order. */
type Line = readonly PlacedColumn[]

const uncut = (rows: Rows): Line =>
  (rows[0] ?? []).map((_, index) => ({
    index,
    width: Math.max(...rows.map((row) => displayWidth(row[index] ?? ''))),
  }))

/** Puts as many columns on each line as fit when they are cut, then widens them from left to right. */
function fitLines(widest: Line, columns: readonly Column[], width: number): Line[] {
  const lines: PlacedColumn[][] = [[]]
  for (const whole of widest) {
    const column = { ...whole, width: Math.min(whole.width, columns[whole.index]?.minWidth ?? whole.width) }
    const line = lines.at(-1) ?? []
    if (line.length === 0 || lineWidth([...line, column], lines.length - 1) <= width) line.push(column)
    else lines.push([column])
  }
  return lines.map((line, number) => {
    let spare = Math.max(0, width - lineWidth(line, number))
    return line.map((column) => {
      const added = Math.min(spare, (widest[column.index]?.width ?? column.width) - column.width)
      spare -= added
      return { ...column, width: column.width + added }
    })
  })
}

const lineWidth = (line: Line, number: number): number =>
  (number === 0 ? 0 : indent.length) +
  line.reduce((sum, { width }) => sum + width, (line.length - 1) * gap.length)

/** A further line of a row on which every cell is empty is left out. */
const formatRows = (rows: Rows, lines: readonly Line[]): string =>
  rows
    .flatMap((row) =>
      lines
        .map((line, number) => formatLine(row, line, number))
        .filter((text, number) => number === 0 || text !== ''),
    )
    .join('\n')

function formatLine(row: readonly string[], line: Line, number: number): string {
  const cells = line.map(({ index, width, isRightAligned }) =>
    fillToWidth(cutToWidth(row[index] ?? '', width), width, isRightAligned),
  )
  return `${number === 0 ? '' : indent}${cells.join(gap)}`.trimEnd()
}

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
