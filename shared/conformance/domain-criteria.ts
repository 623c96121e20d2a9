/** The criteria that depend on a domain's DNS records, assessed by what DNS and the policy host publish. Pure. */
import type { DomainFacts } from '../domain-records/facts/domain-facts.ts'
import { isSpf } from '../domain-records/facts/spf-evaluation.ts'
import { isDmarc, readDmarcRecord } from '../domain-records/findings/dmarc-record.ts'
import { type RecordFinding, type RecordKind, recordsOf } from '../domain-records/findings/record-finding.ts'
import { toSingleLine } from '../mail/peer-text.ts'
import { type Assessment, type ConformanceResult, metIf, notApplicable, verdictOf } from './criterion.ts'
import { customerResults } from './customer-criteria.ts'

interface PublishedFacts {
  facts: DomainFacts
  findings: readonly RecordFinding[]
}

/** `Unknown`: the check was not possible, for the reason `seen`. */
type DomainAssessment = Assessment | { kind: 'Unknown'; seen: string }

interface DomainCriterion {
  assess(published: PublishedFacts): DomainAssessment
  /** What to do when it is not met. */
  advice: string
}

const pasteRecord = 'Publish the record that `npx mailflow dns DOMAIN` shows'

const unknown = (seen: string): DomainAssessment => ({ kind: 'Unknown', seen })

const findingsOf = ({ findings }: PublishedFacts, record: RecordKind) =>
  findings.filter((finding) => finding.record === record)

/** The first sentence of each finding. */
const sentencesOf = (findings: readonly RecordFinding[]): string =>
  [...new Set(findings.flatMap(({ says: [first] }) => first ?? []))].join(' ')

/** Met if every finding is OK, not measured if one is unknown. @param whenMet what was seen then */
const byFindings =
  (record: RecordKind, whenMet: string) =>
  (published: PublishedFacts): DomainAssessment => {
    const found = findingsOf(published, record)
    if (found.length === 0) return unknown('the check has no result')
    const isMet = found.every(({ result }) => result === 'OK')
    return !isMet && found.some(({ result }) => result === 'UNKNOWN')
      ? unknown(sentencesOf(found.filter(({ result }) => result === 'UNKNOWN')))
      : metIf(
          isMet,
          isMet ? whenMet : sentencesOf(found.filter(({ result }) => result !== 'OK')) || 'not met',
        )
  }

function assessRollover({ facts: { hosts } }: PublishedFacts): DomainAssessment {
  const failed = hosts.find(({ tlsa }) => tlsa.kind === 'Failed')
  if (failed) return unknown(`the query for the TLSA records of ${failed.host} failed`)
  const counts = hosts.map(({ host, tlsa }) => [host, recordsOf(tlsa).length] as const)
  return counts.every(([, count]) => count === 0)
    ? notApplicable('no TLSA record')
    : metIf(
        counts.every(([, count]) => count > 1),
        counts.map(([host, count]) => `${host}: ${count}`).join(', '),
      )
}

function assessPolicyMode({ facts, findings }: PublishedFacts): DomainAssessment {
  const { policy } = facts
  if (policy.kind === 'Policy') return metIf(policy.policy.mode === 'enforce', `mode ${policy.policy.mode}`)
  const finding = findings.find(({ record }) => record === 'MTA-STS policy')
  return finding?.result === 'UNKNOWN' ? unknown(sentencesOf([finding])) : metIf(false, 'no policy')
}

function assessTlsReportRecord(published: PublishedFacts): DomainAssessment {
  const [finding] = findingsOf(published, 'TLS-RPT')
  if (finding === undefined || finding.result === 'UNKNOWN')
    return unknown(sentencesOf(finding ? [finding] : []))
  const isMet = finding.published.length > 0 && finding.result !== 'DIFFERENT'
  return metIf(isMet, finding.published.join(', ') || 'no record')
}

function assessSpfPolicy({ facts: { txt } }: PublishedFacts): DomainAssessment {
  if (txt.kind === 'Failed') return unknown('the DNS query failed')
  const records = recordsOf(txt).filter(isSpf)
  const [record = ''] = records
  if (records.length !== 1) return metIf(false, records.length === 0 ? 'no record' : 'several records')
  const ends = /(?:^| )[~-]all(?: |$)/i.test(record)
  return !ends && /(?:^| )redirect=/i.test(record)
    ? unknown(`the record leads to another: ${record}`)
    : metIf(ends, record)
}

function assessDmarcPolicy(published: PublishedFacts): DomainAssessment {
  const [{ answer }] = published.facts.dmarc
  const [finding] = findingsOf(published, 'DMARC')
  if (finding === undefined || finding.result === 'UNKNOWN')
    return unknown(sentencesOf(finding ? [finding] : []))
  const [record] = recordsOf(answer).filter(isDmarc)
  if (record === undefined && finding.result !== 'MISSING') return unknown(sentencesOf([finding]))
  const policy = record === undefined ? null : readDmarcRecord(record).p
  return metIf(policy === 'quarantine' || policy === 'reject', record ?? 'no record')
}

function assessIpv6({ facts: { hosts } }: PublishedFacts): DomainAssessment {
  const failed = hosts.find(({ aaaa }) => aaaa.kind === 'Failed')
  if (failed) return unknown(`the query for the IPv6 addresses of ${failed.host} failed`)
  const missing = hosts.filter(({ aaaa }) => recordsOf(aaaa).length === 0).map(({ host }) => host)
  return missing.length > 0
    ? metIf(false, `no IPv6 address: ${missing.join(', ')}`)
    : unknown('the MX hosts have IPv6 addresses; the name servers were not checked')
}

function assessCaa({ facts: { caa } }: PublishedFacts): DomainAssessment {
  const owners = caa.flatMap((each) => (each.kind === 'Found' ? [each.owner] : []))
  if (owners.length < caa.length && caa.some(({ kind }) => kind === 'Failed'))
    return unknown('a DNS query failed')
  const without = caa.filter(({ kind }) => kind !== 'Found').map(({ host }) => host)
  return metIf(
    without.length === 0,
    without.length === 0 ? `at ${[...new Set(owners)].join(', ')}` : `none for ${without.join(', ')}`,
  )
}

const criteria: Readonly<Record<string, DomainCriterion>> = {
  dnssec: {
    assess: byFindings('DNSSEC', 'signed'),
    advice: 'Enable DNSSEC where the zones are hosted, then publish their DS records at the registrar',
  },
  dane: {
    assess: byFindings('TLSA', 'the records match'),
    advice: 'Sign the zone, then publish the TLSA records that `npx mailflow dns DOMAIN` shows',
  },
  'dane-rollover': {
    assess: assessRollover,
    advice: 'Publish a second TLSA record, for the next key',
  },
  'mta-sts': {
    assess: assessPolicyMode,
    advice: 'Publish a policy. Set its mode to enforce when TLS reports show no failures',
  },
  'tls-rpt': { assess: assessTlsReportRecord, advice: pasteRecord },
  spf: { assess: assessSpfPolicy, advice: 'Publish one SPF record that ends with ~all or -all' },
  dkim: {
    assess: byFindings('DKIM', 'the domain has a key'),
    advice: "Let the organisation's mail server sign, and publish its key",
  },
  dmarc: {
    assess: assessDmarcPolicy,
    advice: 'Set p to quarantine or reject when the reports show that your own mail passes',
  },
  ipv6: {
    assess: assessIpv6,
    advice: 'Set ingress.ipv6 to true, deploy, and publish the AAAA records',
  },
  caa: { assess: assessCaa, advice: 'Publish CAA records that name your authorities' },
}

const maxSeenLength = 500

/** A criterion that DNS does not show stays the customer's to check. */
export const domainResults = (published: PublishedFacts): ConformanceResult[] =>
  customerResults.map((result) => {
    const criterion = criteria[result.id]
    if (criterion === undefined) return result
    const assessment = criterion.assess(published)
    if (assessment.kind === 'Unknown' || assessment.kind === 'NotMeasured')
      return { ...result, verdict: 'NOT MEASURED', seen: seenIn(assessment), advice: null }
    const verdict = verdictOf(assessment, result.references)
    const isMet = verdict !== 'FAIL' && verdict !== 'WARN'
    return { ...result, verdict, seen: seenIn(assessment), advice: isMet ? null : criterion.advice }
  })

const seenIn = (assessment: DomainAssessment): string =>
  toSingleLine('seen' in assessment ? assessment.seen : 'the check was not possible', maxSeenLength)
