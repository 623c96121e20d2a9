/** Text in columns. */

/** Columns as wide as their longest cell, two spaces apart; no cell is cut, since it may be copied. */
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

/** A table under a heading. */
export const table = (heading: readonly string[], rows: readonly (readonly string[])[]): string =>
  aligned([heading, ...rows])

/** Breaks text at spaces into lines of at most `width` characters, as far as its words allow. */
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

/** The lines of a paragraph below its heading. */
export const indented = (text: string, by: number, width = 110): string =>
  wrapped(text, width - by)
    .map((line) => `${' '.repeat(by)}${line}`)
    .join('\n')
