/** The findings of `mailflow dns` about a zone that is a table, without processes and sockets. */
import assert from 'node:assert/strict'
import { policyAccess } from '../../../cli/dns/check-domain.ts'
import { commandInstructions } from '../../../cli/dns/read-options.ts'
import type { PublishedCertificate } from '../../../shared/contract/certificates.ts'
import { gatherDomainFacts } from '../../../shared/domain-records/facts/domain-facts.ts'
import { assessDomain } from '../../../shared/domain-records/findings/assess-domain.ts'
import type { RecordFinding } from '../../../shared/domain-records/findings/record-finding.ts'
import { createPlan, type DnsOptions } from '../../../shared/domain-records/publication-plan.ts'
import { fakeResolver, type Zone } from '../dns.ts'

export interface DomainSetup extends Partial<DnsOptions> {
  zone: Zone
  certificates?: readonly PublishedCertificate[]
}

/** The domain is `ours.example` and its MX host `mx.ours.example`, unless the setup has others. */
export async function findingsFor({ zone, certificates, ...options }: DomainSetup): Promise<RecordFinding[]> {
  const allOptions: DnsOptions = {
    domain: 'ours.example',
    hosts: ['mx.ours.example'],
    mode: null,
    maxAgeSeconds: null,
    reportAddress: null,
    egress: ['ses'],
    dkimSelectors: [],
    instructions: commandInstructions,
    ...options,
  }
  const facts = await gatherDomainFacts(allOptions, { ...policyAccess, resolver: fakeResolver(zone) })
  return assessDomain(createPlan(allOptions, certificates ?? null, null), facts, true, new Date())
}

/** Returns the findings about one kind of record. */
export async function findingsAbout(record: string, setup: DomainSetup): Promise<RecordFinding[]> {
  const findings = (await findingsFor(setup)).filter((finding) => finding.record === record)
  assert.ok(findings.length > 0, `there is a finding about ${record}`)
  return findings
}
