/** Checks the published records of a domain, in the order in which a zone is set up. Pure. */

import type { DomainFacts } from '../facts/domain-facts.ts'
import type { Plan } from '../publication-plan.ts'
import { assessCaa } from './assess-caa.ts'
import { assessNames, assessTlsa } from './assess-dane.ts'
import { assessDkim } from './assess-dkim.ts'
import { assessDmarc } from './assess-dmarc.ts'
import { assessDnssec } from './assess-dnssec.ts'
import { assessIpv6 } from './assess-ipv6.ts'
import { assessAddresses, assessMx } from './assess-mail-routing.ts'
import { assessSpf } from './assess-spf.ts'
import { assessMtaStsRecord, assessPolicy, assessTlsRpt } from './assess-transport-policy.ts'
import type { RecordFinding } from './record-finding.ts'

/** @param accepted whether the domain is an accepted domain */
export function assessDomain(plan: Plan, facts: DomainFacts, accepted: boolean, now: Date): RecordFinding[] {
  return [
    acceptanceFinding(plan.domain, accepted),
    assessMx(plan, facts),
    ...facts.hosts.map(assessAddresses),
    assessIpv6(facts.hosts),
    ...facts.hosts.map(({ host }) => assessNames(plan, host)),
    ...assessCaa(plan, facts),
    assessSpf(plan, facts),
    ...assessDkim(plan, facts),
    assessDmarc(plan, facts),
    assessPolicy(plan, facts),
    assessMtaStsRecord(plan, facts),
    assessTlsRpt(plan, facts),
    assessDnssec(plan, facts),
    ...facts.hosts.map((host) => assessTlsa(plan, host, now)),
  ]
}

const acceptanceFinding = (domain: string, accepted: boolean): RecordFinding => ({
  record: 'Accepted domain',
  name: domain,
  result: accepted ? 'OK' : 'WARN',
  published: [],
  wanted: [],
  says: accepted ? [] : ['This is not an accepted domain: the gateway refuses mail for it until you add it.'],
})
