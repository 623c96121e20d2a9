/** The explanation of a decision: the connectors considered, in order of precedence, and the outcome of each. */
import * as z from 'zod'
import type { InboundConnector, OutboundConnector } from '../../connectors/schema.ts'

export const Considered = z.strictObject({
  direction: z.enum(['Inbound', 'Outbound']),
  connector: z.string().describe('id'),
  name: z.string(),
  connectorType: z.enum(['Partner', 'OnPremises']),
  mode: z.enum(['Enforce', 'ReportOnly']),
  pattern: z
    .string()
    .nullable()
    .describe('the domain pattern that matches, or allAcceptedDomains; null when the sender has no domain'),
  outcome: z
    .enum([
      'Decides',
      'Waived',
      'Reports',
      'Grants',
      'Outranked',
      'NotIdentified',
      'NotApplicable',
      'Disabled',
    ])
    .describe(
      "Decides: its requirements are enforced. Waived: an administrator released the message despite its violation. Reports: they are only recorded. Grants: it identifies the client as the organisation's own server. Outranked: another connector takes precedence. NotIdentified: it does not identify the client",
    ),
  why: z.string().describe('a sentence for the administrator'),
})
export type Considered = z.output<typeof Considered>

export type Finding = Pick<Considered, 'outcome' | 'why'>

export const disabledFinding: Finding = { outcome: 'Disabled', why: 'It is disabled.' }

export const identityOf = ({ id, name, connectorType, mode }: InboundConnector | OutboundConnector) => ({
  connector: id,
  name,
  connectorType,
  mode,
})

/** Removes duplicates and keeps the order: the first items up to the limit, then the items that are always listed. */
export function distinctConnectors<T>(
  items: Iterable<T>,
  maxItems: number,
  alwaysListed: readonly (T | null)[],
): T[] {
  const listedItems = new Set<T>()
  for (const item of items) {
    if (listedItems.size === maxItems) break
    listedItems.add(item)
  }
  for (const item of alwaysListed) if (item !== null) listedItems.add(item)
  return [...listedItems]
}
