/** Formats the considered connectors in order, with the outcome of each. */
import { z } from 'zod'
import { indented } from '../text/table.ts'
import { printable } from '../text/words.ts'

export const Considered = z.object({
  direction: z.string(),
  connector: z.string(),
  name: z.string(),
  connectorType: z.string(),
  mode: z.string(),
  pattern: z.string().nullable(),
  outcome: z.string(),
  why: z.string(),
})
export type Considered = z.output<typeof Considered>

const outcomes: Readonly<Record<string, string>> = {
  Decides: 'decides',
  Reports: 'report only',
  Grants: 'grants relay',
  Outranked: 'lower precedence',
  NotIdentified: 'does not identify the client',
  NotApplicable: 'does not apply',
  Disabled: 'disabled',
}

/** @param by columns of indentation */
export function consideredText(considered: readonly Considered[], by: number): string[] {
  const indent = ' '.repeat(by)
  return considered.flatMap(({ name, connectorType, pattern, outcome, why }, index) => {
    const kind = pattern === null ? connectorType : `${connectorType}, ${pattern}`
    const became = outcomes[outcome] ?? outcome
    return [
      `${indent}${index + 1}. "${printable(name)}" (${kind}): ${became}`,
      indented(printable(why), by + 3),
    ]
  })
}
