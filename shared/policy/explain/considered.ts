/**
 * Why a decision is what it is: the connectors that were considered, in the order in which they were asked, and
 * what became of each.
 */
import { z } from 'zod'
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
    .describe(
      'the domain pattern that brought it into question, or allAcceptedDomains; null without a domain',
    ),
  outcome: z
    .enum(['Decides', 'Reports', 'Grants', 'Outranked', 'NotIdentified', 'NotApplicable', 'Disabled'])
    .describe(
      'Decides: its demands count. Reports: they are recorded only. Grants: it knows the peer as our own server. Outranked: another goes before it. NotIdentified: the peer is not whom it names',
    ),
  why: z.string().describe('a sentence for the administrator'),
})
export type Considered = z.output<typeof Considered>

export type Finding = Pick<Considered, 'outcome' | 'why'>

export const disabled: Finding = { outcome: 'Disabled', why: 'It is disabled.' }

export const identityOf = ({ id, name, connectorType, mode }: InboundConnector | OutboundConnector) => ({
  connector: id,
  name,
  connectorType,
  mode,
})

/** Each once, in their order: the first ones, and then of the others those that take part. */
export function distinct<T>(items: Iterable<T>, most: number, takePart: readonly (T | null)[]): T[] {
  const found = new Set<T>()
  for (const item of items) {
    if (found.size === most) break
    found.add(item)
  }
  for (const item of takePart) if (item !== null) found.add(item)
  return [...found]
}
