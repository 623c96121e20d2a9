/** Compares the state of a gateway before and after a restore. Pure. */
import { isDeepStrictEqual } from 'node:util'

/** Entries by a key that names them, such as an id. */
export type Entries = Readonly<Record<string, unknown>>

/** Entries by what they are, such as `inbound connectors`. */
export type GatewayState = Readonly<Record<string, Entries>>

export interface Comparison {
  readonly subject: string
  /** Number of entries. */
  readonly before: number
  readonly after: number
  /** One line for each entry that is missing, added or different. */
  readonly differences: readonly string[]
}

export function compareStates(before: GatewayState, after: GatewayState): Comparison[] {
  const subjects = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return subjects.map((subject) => compareEntries(subject, before[subject] ?? {}, after[subject] ?? {}))
}

export function compareEntries(subject: string, before: Entries, after: Entries): Comparison {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return {
    subject,
    before: Object.keys(before).length,
    after: Object.keys(after).length,
    differences: keys.flatMap((key) => {
      if (!(key in after)) return [`${key} is missing`]
      if (!(key in before)) return [`${key} was not there before`]
      return differencesIn(before[key], after[key], key)
    }),
  }
}

/** Names the innermost fields that differ. */
function differencesIn(before: unknown, after: unknown, path: string): string[] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== Array.isArray(after))
    return [`${path} was ${JSON.stringify(before)}, is ${JSON.stringify(after)}`]
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return names.flatMap((name) => differencesIn(before[name], after[name], `${path}.${name}`))
}

const isContainer = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

/** Returns a table with one row for each comparison, then the differences, then the result. */
export function reportText(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(({ subject, before, after, differences }) => [
    subject,
    String(before),
    String(after),
    differences.length === 0 ? 'equal' : `${differences.length} different`,
  ])
  const differences = comparisons.flatMap((comparison) =>
    comparison.differences.map((difference) => `${comparison.subject}: ${difference}`),
  )
  const total =
    differences.length === 0 ? 'Nothing differs.' : `Differences: ${differences.length}. The restore failed.`
  return [
    ...tableLines([['Compared', 'Before', 'After', 'Result'], ...rows]),
    '',
    ...differences,
    total,
  ].join('\n')
}

function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
