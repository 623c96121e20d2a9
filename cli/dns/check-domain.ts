/**
 * `npx mailflow dns DOMAIN`: shows the records to publish for a domain, and checks the published records.
 *
 * Steps, in order:
 * 1. `gateway-facts.ts` requests the gateway's name and certificates.
 * 2. `shared/domain-records/`, which the API uses too, queries DNS and the policy host, plans the records and the policy,
 *    and compares them.
 * 3. `report.ts` prints plan and findings, as text or as JSON.
 */

import { gatherDomainFacts } from '../../shared/domain-records/facts/domain-facts.ts'
import { assessDomain } from '../../shared/domain-records/findings/assess-domain.ts'
import type { RecordFinding } from '../../shared/domain-records/findings/record-finding.ts'
import { createPlan, type DnsOptions, type Plan } from '../../shared/domain-records/publication-plan.ts'
import type { Resolver } from '../../shared/net/dns/answer.ts'
import { fetchLimits } from '../../shared/net/mta-sts/fetch.ts'
import type { ApiClient } from '../api/api-client.ts'
import { gatherGatewayFacts } from './gateway-facts.ts'

/**
 * How the policy is fetched. Every address is allowed: the administrator's own host names may resolve to private
 * addresses, or to a gateway on this machine.
 */
export const policyAccess = {
  privateNetworks: ['0.0.0.0/0', '::/0'],
  limits: { ...fetchLimits, totalMs: 20_000, idleTimeoutMs: 10_000 },
}

/** @throws CommandError when the gateway does not respond, or neither gateway nor options name a host */
export async function checkDomain(
  options: DnsOptions,
  { api, resolver, now }: { api: ApiClient; resolver: Resolver; now: Date },
): Promise<{ plan: Plan; findings: RecordFinding[] }> {
  const gateway = await gatherGatewayFacts(api, options)
  const resolvedOptions = { ...options, hosts: gateway.hosts }
  const facts = await gatherDomainFacts(resolvedOptions, { ...policyAccess, resolver })
  const served = facts.policy.kind === 'Policy' ? facts.policy.policy : null
  const plan = createPlan(resolvedOptions, gateway.certificates, served)
  return { plan, findings: assessDomain(plan, facts, gateway.accepted, now) }
}
