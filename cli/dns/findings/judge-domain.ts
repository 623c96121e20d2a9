/** Checks what is published for a domain, in the order in which a zone is set up. Pure. */

import type { DomainFacts } from '../facts/domain-facts.ts'
import type { Plan } from '../publication-plan.ts'
import { judgeDnssec, judgeNames, judgeTlsa } from './judge-dane.ts'
import { judgeAddresses, judgeMx } from './judge-mail-routing.ts'
import { judgeSpf } from './judge-spf.ts'
import { judgeAnnouncement, judgePolicy, judgeTlsRpt } from './judge-transport-policy.ts'
import type { RecordFinding } from './record-finding.ts'

/** @param accepted whether the domain is an accepted domain */
export function judgeDomain(plan: Plan, facts: DomainFacts, accepted: boolean, now: Date): RecordFinding[] {
  return [
    acceptance(plan.domain, accepted),
    judgeMx(plan, facts),
    ...facts.hosts.map(judgeAddresses),
    ...facts.hosts.map(({ host }) => judgeNames(plan, host)),
    judgeSpf(plan, facts),
    judgePolicy(plan, facts),
    judgeAnnouncement(plan, facts),
    judgeTlsRpt(plan, facts),
    judgeDnssec(plan, facts),
    ...facts.hosts.map((host) => judgeTlsa(plan, host, now)),
  ]
}

const acceptance = (domain: string, accepted: boolean): RecordFinding => ({
  record: 'Accepted domain',
  name: domain,
  result: accepted ? 'OK' : 'WARN',
  published: [],
  wanted: [],
  says: accepted ? [] : ['It is not an accepted domain: the gateway refuses mail for it until you add it.'],
})
