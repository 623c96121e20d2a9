/** `/accepted-domains/{domain}/dns`: the records to publish for a domain, and findings about the published ones. */

import type { PublishedCertificatesItem } from '../../shared/connectors-table/published-certificates.ts'
import type { AcceptedDomains } from '../../shared/connectors-table/repository.ts'
import { readDomainDns } from '../../shared/domain-records/domain-dns.ts'
import { type DomainFacts, gatherDomainFacts } from '../../shared/domain-records/facts/domain-facts.ts'
import { assessDomain } from '../../shared/domain-records/findings/assess-domain.ts'
import type { RecordFinding } from '../../shared/domain-records/findings/record-finding.ts'
import {
  createPlan,
  type DnsOptions,
  type Instructions,
  type Plan,
  sesSender,
} from '../../shared/domain-records/publication-plan.ts'
import { normaliseSelector } from '../../shared/domain-records/zone-records.ts'
import { Problem } from '../../shared/http-api/problem.ts'
import { invalidParameter } from '../../shared/http-api/request.ts'
import { type Route, route } from '../../shared/http-api/route.ts'
import { normaliseDomain } from '../../shared/mail/domain.ts'
import { fetchLimits } from '../../shared/net/mta-sts/fetch.ts'
import type { Resolver } from '../../shared/net/resolver.ts'
import { descriptionAt } from '../../shared/tls/description-at.ts'
import { describeDomainDns } from './describe-domain-dns.ts'

export interface DomainDnsDependencies {
  acceptedDomains: Pick<AcceptedDomains, 'get'>
  published: Pick<PublishedCertificatesItem, 'read'>
  resolver: Resolver
  /** CIDRs of private networks in which the policy host may be. */
  privateNetworks: readonly string[]
  /** Host name of this gateway, which applies until certificates are published. */
  hostname: string
  /** Milliseconds since the epoch. */
  now(): number
  /** After this time, each query without an answer has failed. API Gateway waits 30 seconds. @default 20,000 */
  totalMs?: number
}

export const defaultTotalMs = 20_000
/** Less than the time of the queries, so that a policy host that hangs is distinguished from name servers that do. */
const policyLimits = { ...fetchLimits, totalMs: 15_000, idleTimeoutMs: 10_000 }

const instructions: Instructions = {
  enforcePolicy: 'change the mode to enforce (setting mtaSts.mode)',
  dnssecResolver: 'a validating resolver in the setting dnsServers, such as tls://9.9.9.9#dns.quad9.net',
  checkSelector: 'with the parameter dkimSelector',
}

/**
 * The attack: name servers, or a policy host, that answer late, or that make the function send requests to its own
 * network. The defence: one limit of time for all queries; the deployment's resolvers only; the guard of `fetchPolicy` on
 * addresses. Not covered: the response shows private addresses in the domain's records; nothing connects to them.
 */
export function domainDnsRoute(dependencies: DomainDnsDependencies): Route {
  return route(readDomainDns, async ({ parameter, query }) => {
    const domain = await acceptedDomainOf(parameter, dependencies)
    const dkimSelectors = selectorsOf(query.dkimSelector ?? [], domain)
    const { plan, findings } = await checkDomainRecords(domain, dependencies, { dkimSelectors })
    return { status: 200, body: describeDomainDns(plan, findings) }
  })
}

/** @throws Problem 404 */
export async function acceptedDomainOf(
  text: string,
  { acceptedDomains }: Pick<DomainDnsDependencies, 'acceptedDomains'>,
): Promise<string> {
  const domain = normaliseDomain(text)
  if (domain === null || (await acceptedDomains.get(domain)) === null)
    throw new Problem(404, 'There is no such accepted domain.')
  return domain
}

interface RecordOptions {
  dkimSelectors?: readonly string[]
  /** The MX hosts to check. @default this gateway */
  hosts?: readonly string[]
  totalMs?: number
}

/** Gathers and assesses the records of a domain. */
export async function checkDomainRecords(
  domain: string,
  { published, resolver, privateNetworks, hostname, now, totalMs = defaultTotalMs }: DomainDnsDependencies,
  options: RecordOptions,
): Promise<{ plan: Plan; facts: DomainFacts; findings: RecordFinding[] }> {
  const stored = await published.read()
  const at = new Date(now())
  const gateway = stored?.hostname ?? hostname
  const dnsOptions: DnsOptions = {
    domain,
    hosts: options.hosts?.length ? options.hosts : [gateway],
    mode: null,
    maxAgeSeconds: null,
    reportAddress: null,
    egress: [sesSender],
    dkimSelectors: options.dkimSelectors ?? [],
    instructions,
  }
  const facts = await gatherDomainFacts(dnsOptions, {
    resolver,
    privateNetworks,
    limits: policyLimits,
    signal: AbortSignal.timeout(options.totalMs ?? totalMs),
  })
  const served = facts.policy.kind === 'Policy' ? facts.policy.policy : null
  const plan = createPlan(dnsOptions, stored && descriptionAt(stored, at).certificates, served)
  return { plan, facts, findings: assessDomain(plan, facts, true, at) }
}

/** @throws Problem 400 */
function selectorsOf(texts: readonly string[], domain: string): string[] {
  const selectors = texts.map((text) => normaliseSelector(text.trim(), domain))
  const valid = selectors.filter((selector) => selector !== null)
  if (valid.length < selectors.length)
    throw invalidParameter('dkimSelector', 'has a part that is not the part of a name before ._domainkey')
  return [...new Set(valid)]
}
