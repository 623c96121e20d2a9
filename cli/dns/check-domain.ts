/**
 * `npx mailflow dns DOMAIN`: shows what to publish for a domain, and checks what is published.
 *
 * Steps, in order:
 * 1. `facts/` gathers. `gateway-facts.ts` requests the gateway's name and certificates; `domain-facts.ts` queries DNS
 *    and the policy host.
 * 2. `publication-plan.ts` plans what to publish, and `zone-records.ts` writes the plan as records. Both are pure.
 * 3. `findings/` compares, and is pure. `judge-domain.ts` compares facts with the plan; `record-finding.ts` describes a
 *    finding, and each `judge-….ts` checks one kind of record.
 * 4. `report.ts` prints plan and findings, as text or as JSON.
 */
import type { Resolver } from '../../shared/net/dns/answer.ts'
import type { ApiClient } from '../api/client.ts'
import { gatherDomainFacts } from './facts/domain-facts.ts'
import { gatherGatewayFacts } from './facts/gateway-facts.ts'
import { judgeDomain } from './findings/judge-domain.ts'
import type { RecordFinding } from './findings/record-finding.ts'
import { type Plan, planOf, type Wish } from './publication-plan.ts'

/** @throws Fault when the gateway does not respond, or neither it nor the options name a host */
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
