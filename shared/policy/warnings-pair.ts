/**
 * TLS with a partner takes two connectors, one a direction, and the second is easily forgotten: then half of the
 * mail goes in the clear while everybody believes it protected. What is in force is asked of the selection itself.
 */
import type { InboundConnector, OutboundConnector } from '../connectors/schema.ts'
import { selectOutbound } from './outbound.ts'
import { exampleOf, narrower, Patterns } from './patterns.ts'
import { compileSnapshot, first, matchesByDomain, type Snapshot } from './snapshot.ts'
import type { Surroundings, Warning } from './warnings.ts'
import { few } from './warnings-words.ts'

/** Domains of a partner whose mail comes here by the connector, and towards which nothing forces TLS. */
export function unprotectedTo(connector: InboundConnector, all: Surroundings): Warning[] {
  if (connector.connectorType !== 'Partner') return []
  const mine = domainsOf(connector.senderDomains)
  const outbound = all.outbound.filter(isEnabled).flatMap((other) => {
    const near = overlapping(mine, other.recipientDomains)
    return near.length > 0 || other.allAcceptedDomains ? [{ other, near }] : []
  })
  const snapshot = compileSnapshot({
    ...all,
    version: 0,
    inbound: [],
    outbound: outbound.map(({ other }) => other),
  })
  const near = outbound.flatMap((it) => it.near)
  return listed('senderDomains', mine.patterns, near, (domain) => missingTo(snapshot, domain), {
    consequence: (domains) => `mail to ${domains} is not forced to use TLS`,
    nobody: 'there is no outbound connector for',
  })
}

/** Domains of a partner to whom mail goes by the connector, and from which nothing demands TLS. */
export function unprotectedFrom(connector: OutboundConnector, all: Surroundings): Warning[] {
  if (connector.connectorType !== 'Partner') return []
  const mine = domainsOf(connector.recipientDomains)
  const inbound = all.inbound
    .filter(isEnabled)
    .filter(isPartner)
    .flatMap((other) => {
      const near = overlapping(mine, other.senderDomains)
      return near.length > 0 ? [{ other, near }] : []
    })
  const snapshot = compileSnapshot({
    ...all,
    version: 0,
    inbound: inbound.map(({ other }) => other),
    outbound: [],
  })
  const near = inbound.flatMap((it) => it.near)
  return listed('recipientDomains', mine.patterns, near, (domain) => missingFrom(snapshot, domain), {
    consequence: (domains) => `mail from ${domains} is taken in the clear`,
    nobody: 'there is no inbound Partner connector for',
  })
}

const isEnabled = ({ enabled }: { enabled: boolean }): boolean => enabled
const isPartner = ({ connectorType }: InboundConnector): boolean => connectorType === 'Partner'

/** What protects no domain, in words; `null` for a connector that is not there; undefined when all is well. */
type Missing = string | null | undefined

function missingTo(snapshot: Snapshot, domain: string): Missing {
  const winner = selectOutbound(snapshot, domain)
  if (winner === null) return null
  if (winner.mode === 'ReportOnly') return `outbound connector "${winner.name}" only reports`
  return winner.tlsSettings === null ? `outbound connector "${winner.name}" does not force it` : undefined
}

function missingFrom({ partners }: Snapshot, domain: string): Missing {
  const winner = first(matchesByDomain(partners.Enforce, domain))
  if (winner !== null)
    return winner.connector.requireTls
      ? undefined
      : `inbound connector "${winner.connector.name}" does not require TLS`
  const trial = first(matchesByDomain(partners.ReportOnly, domain))
  return trial && `inbound connector "${trial.connector.name}" only reports`
}

interface Domains {
  patterns: readonly string[]
  index: Patterns
}

/** Without `*`: who speaks of everyone has no partner in mind. */
function domainsOf(patterns: readonly string[]): Domains {
  const named = patterns.filter((pattern) => pattern !== '*')
  return { patterns: named, index: new Patterns(named) }
}

interface Near {
  mine: string
  both: string
}

function overlapping({ index }: Domains, others: readonly string[]): Near[] {
  return others.flatMap((other) =>
    other === '*'
      ? [everyone]
      : [...index.overlapping(other)].map((mine) => ({ mine, both: narrower(mine, other) })),
  )
}

/** Keeps a connector for everyone in question without listing every pattern of ours. */
const everyone: Near = { mine: '*', both: '*' }

interface Words {
  consequence(domains: string): string
  nobody: string
}

/** A pattern is protected when some part of it is: how a partner divides its domains is the partner's to know. */
function listed(
  path: string,
  patterns: readonly string[],
  near: readonly Near[],
  missing: (domain: string) => Missing,
  { consequence, nobody }: Words,
): Warning[] {
  const parts = Map.groupBy(near, ({ mine }) => mine)
  const unprotected = patterns.flatMap((pattern) => {
    const asked = new Set([pattern, ...(parts.get(pattern) ?? []).map(({ both }) => both)])
    const found = [...asked].map((part) => missing(exampleOf(part)))
    if (found.includes(undefined)) return []
    return [{ pattern, because: found.find((because) => because !== null) ?? null }]
  })
  return [...Map.groupBy(unprotected, ({ because }) => because)].map(([because, of]) => {
    const why = because ?? `${nobody} ${of.length === 1 ? 'it' : 'them'}`
    return { path, message: `${consequence(few(of.map(({ pattern }) => pattern)))}: ${why}` }
  })
}
