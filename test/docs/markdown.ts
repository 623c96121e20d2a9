/** Markdown for the generated pages. */

/** Removes line ends from cells and escapes bars. */
const row = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll(/\s*\n\s*/g, ' ').replaceAll('|', '\\|')).join(' | ')} |`

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

export const code = (text: string): string => `\`${text}\``

/** Returns a whole page: title, notice and parts, with an empty line between them. */
export function page(title: string, source: string, ...parts: readonly string[]): string {
  const notice = `<!-- \`npm run docs\` writes this page from ${source}. Change it there. -->`
  return `${[`# ${title}`, notice, ...parts].join('\n\n')}\n`
}
