/** Formats the considered connectors in order, with the outcome of each. */
import * as z from 'zod'
import { printable } from '../text/format.ts'
import { indentParagraph } from '../text/table.ts'

export const ConsideredConnector = z.object({
  direction: z.string(),
  connector: z.string(),
  name: z.string(),
  connectorType: z.string(),
  mode: z.string(),
  pattern: z.string().nullable(),
  outcome: z.string(),
  why: z.string(),
})
export type ConsideredConnector = z.output<typeof ConsideredConnector>

const outcomes: Readonly<Record<string, string>> = {
  Decides: 'selected',
  Waived: 'violated, released by an administrator',
  Reports: 'report only',
  Grants: 'grants relay',
  Outranked: 'lower precedence',
  NotIdentified: 'does not identify the client',
  NotApplicable: 'does not apply',
  Disabled: 'disabled',
}

/** @param columns columns of indentation */
export function consideredConnectorsText(
  considered: readonly ConsideredConnector[],
  columns: number,
): string[] {
  const indent = ' '.repeat(columns)
  return considered.flatMap(({ name, connectorType, pattern, outcome, why }, index) => {
    const kind = pattern === null ? connectorType : `${connectorType}, ${pattern}`
    const outcomeText = outcomes[outcome] ?? outcome
    return [
      `${indent}${index + 1}. "${printable(name)}" (${kind}): ${outcomeText}`,
      indentParagraph(printable(why), columns + 3),
    ]
  })
}
