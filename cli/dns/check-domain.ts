/**
 * `npx mailflow dns DOMAIN`: shows the records to publish for a domain, and checks the published records.
 *
 * Steps, in order:
 * 1. `facts/` gathers the facts. `gateway-facts.ts` requests the gateway's name and certificates; `domain-facts.ts`
 *    queries DNS and the policy host.
 * 2. `publication-plan.ts` plans the records and the policy, and `zone-records.ts` writes the records. Both are pure.
 * 3. `findings/` compares the facts with the plan. Its code is pure. `assess-domain.ts` returns all findings;
 *    `record-finding.ts` describes a finding, and each other `assess-….ts` checks one kind of record.
 * 4. `report.ts` prints plan and findings, as text or as JSON.
 */
import type { Resolver } from '../../shared/net/dns/answer.ts'
import type { ApiClient } from '../api/api-client.ts'
import { gatherDomainFacts } from './facts/domain-facts.ts'
import { gatherGatewayFacts } from './facts/gateway-facts.ts'
import { assessDomain } from './findings/assess-domain.ts'
import type { RecordFinding } from './findings/record-finding.ts'
import { createPlan, type DnsOptions, type Plan } from './publication-plan.ts'

/** @throws CommandError when the gateway does not respond, or neither gateway nor options name a host */
export async function checkDomain(
  options: DnsOptions,
  { api, resolver, now }: { api: ApiClient; resolver: Resolver; now: Date },
): Promise<{ plan: Plan; findings: RecordFinding[] }> {
  const gateway = await gatherGatewayFacts(api, options)
  const resolvedOptions = { ...options, hosts: gateway.hosts }
  const facts = await gatherDomainFacts(resolvedOptions, resolver)
  const served = facts.policy.kind === 'Policy' ? facts.policy.policy : null
  const plan = createPlan(resolvedOptions, gateway.certificates, served)
  return { plan, findings: assessDomain(plan, facts, gateway.accepted, now) }
}
