/** Formats text in columns and paragraphs. */

/** Pads each column to its longest cell, two spaces apart. No cell is cut, so that users can copy it. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (so, row) => row.map((cell, column) => Math.max(so[column] ?? 0, cell.length)),
    [],
  )
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export const table = (heading: readonly string[], rows: readonly (readonly string[])[]): string =>
  aligned([heading, ...rows])

/** Breaks text at spaces into lines of at most `width` characters. A longer word has its own line. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.replaceAll(/\s+/g, ' ').trim().split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** Wraps a paragraph and indents each line by `by` columns. */
export const indented = (text: string, by: number, width = 110): string =>
  wrapped(text, width - by)
    .map((line) => `${' '.repeat(by)}${line}`)
    .join('\n')
