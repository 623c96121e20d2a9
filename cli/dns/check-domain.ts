/**
 * `npx mailflow dns DOMAIN`: says what to publish for a domain, and whether it is published.
 *
 * In the order in which it runs:
 * 1. `facts/` gathers. `gateway-facts.ts` asks the gateway for its name and its certificates; `domain-facts.ts` asks DNS
 *    and the policy host for what is published.
 * 2. `publication-plan.ts` plans what should be published, and `zone-records.ts` writes that as records. Both are pure.
 * 3. `findings/` judges, and is pure. `judge-domain.ts` compares facts with the plan; `record-finding.ts` describes a
 *    finding, and each `judge-….ts` judges one kind of record.
 * 4. `report.ts` prints plan and findings, as text or as JSON.
 */
import type { Resolver } from '../../shared/net/dns/answer.ts'
import type { ApiClient } from '../api/client.ts'
import { gatherDomainFacts } from './facts/domain-facts.ts'
import { gatherGatewayFacts } from './facts/gateway-facts.ts'
import { judgeDomain } from './findings/judge-domain.ts'
import type { RecordFinding } from './findings/record-finding.ts'
import { type Plan, planOf, type Wish } from './publication-plan.ts'

/** @throws Fault where the gateway does not answer, or neither it nor the wish names a host */
export async function checkDomain(
  wish: Wish,
  { api, resolver, now }: { api: ApiClient; resolver: Resolver; now: Date },
): Promise<{ plan: Plan; findings: RecordFinding[] }> {
  const gateway = await gatherGatewayFacts(api, wish)
  const whole = { ...wish, hosts: gateway.hosts }
  const facts = await gatherDomainFacts(whole, resolver)
  const served = facts.policy.kind === 'Policy' ? facts.policy.policy : null
  const plan = planOf(whole, gateway.certificates, served)
  return { plan, findings: judgeDomain(plan, facts, gateway.accepted, now) }
}
