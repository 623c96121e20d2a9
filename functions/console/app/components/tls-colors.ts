/** Colors of TLS versions in charts, by the column of the report. console.css has their values in light and dark mode. */
export const tlsColors = {
  inClear: 'var(--tls-in-clear)',
  tls12: 'var(--tls-12)',
  tls13: 'var(--tls-13)',
  unknown: 'var(--tls-unknown)',
  refused: 'var(--refused)',
} as const

/** @returns undefined for a column of other numbers */
export const tlsColorOf = (column: string): string | undefined =>
  (tlsColors as Readonly<Record<string, string>>)[column]
