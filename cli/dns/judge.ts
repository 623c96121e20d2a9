/** All checks of a domain, in the order in which a zone is set up. Pure. */
import type { Check } from './check.ts'
import { judgeDnssec, judgeNames, judgeTlsa } from './dane.ts'
import type { Facts } from './facts.ts'
import { judgeAddresses, judgeMx } from './mail-routing.ts'
import type { Plan } from './plan.ts'
import { judgeSpf } from './spf.ts'
import { judgeAnnouncement, judgePolicy, judgeTlsRpt } from './transport-policy.ts'

/** @param accepted whether the gateway takes mail for the domain */
export function judge(plan: Plan, facts: Facts, accepted: boolean, now: Date): Check[] {
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

const acceptance = (domain: string, accepted: boolean): Check => ({
  record: 'Accepted domain',
  name: domain,
  result: accepted ? 'OK' : 'WARN',
  published: [],
  wanted: [],
  says: accepted ? [] : ['The gateway does not accept it: mail for it is refused until you add it.'],
})
