/** Headings that do not follow from the name. */
const headings = new Map([
  ['helo', 'HELO'],
  ['inClear', 'In the clear'],
  ['postQuantum', 'Post-quantum'],
  ['tls', 'TLS'],
  ['tls12', 'TLS 1.2'],
  ['tls13', 'TLS 1.3'],
])

/** @returns the heading of a report's column: `howToFix` → `How to fix` */
export function columnHeading(name: string): string {
  const words = name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return headings.get(name) ?? words.charAt(0).toUpperCase() + words.slice(1)
}
