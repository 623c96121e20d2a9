/** Compares a draft with the connectors that exist in its direction: a name that is taken, and domains in common. Pure. */
import type { Connector, Draft } from './draft.ts'
import { domainField } from './fields.ts'
import { readField } from './read-field.ts'

/** @param others the connectors of the draft's direction without the one that is edited */
export function takenNameFault({ values }: Draft, others: readonly Connector[]): string | null {
  const name = String(values.name ?? '')
    .trim()
    .toLowerCase()
  const taken = others.find((other) => other.name.toLowerCase() === name)
  return taken === undefined
    ? null
    : `A connector “${taken.name}” exists: the name is taken; letter case is ignored.`
}

export interface DomainsInCommon {
  connector: Connector
  domains: readonly string[]
}

/** The connectors that name a domain of the draft. Those of the other type do not restrict the same mail. */
export function domainsInCommon(draft: Draft, others: readonly Connector[]): DomainsInCommon[] {
  const { direction, values } = draft
  const held = values[domainField(direction)]
  const entered = new Set(readField({ kind: 'Patterns' }, held).value as string[])
  return others
    .filter(({ connectorType }) => connectorType === values.connectorType)
    .map((connector) => ({
      connector,
      domains: domainsOf(connector).filter((domain) => entered.has(domain)),
    }))
    .filter(({ domains }) => domains.length > 0)
}

const domainsOf = (connector: Connector): readonly string[] =>
  'senderDomains' in connector ? connector.senderDomains : connector.recipientDomains
