/** Checks the DMARC record of the domain, or the policy that the domain inherits (RFC 9989). Pure. */
import type { DomainFacts } from '../facts/domain-facts.ts'
import type { Plan } from '../publication-plan.ts'
import { dmarcName, quotedText } from '../zone-records.ts'
import { findParentPolicy } from './dmarc-discovery.ts'
import { type DmarcPolicy, type DmarcRecord, isDmarc, readDmarcRecord } from './dmarc-record.ts'
import { failedQueryFinding, type RecordFinding, type Result, recordsOf } from './record-finding.ts'

export function assessDmarc({ domain }: Plan, { dmarc, mx }: DomainFacts): RecordFinding {
  const about = { record: 'DMARC' as const, name: dmarcName(domain) }
  const [{ answer }] = dmarc
  if (answer.kind === 'Failed') return failedQueryFinding(about, answer)
  const texts = recordsOf(answer)
  const records = texts.filter(isDmarc)
  const misspelt = texts.filter((text) => !isDmarc(text) && /^\s*v\s*=\s*dmarc/i.test(text))
  const published = [...records, ...misspelt].map(quotedText)
  const finding = (result: Result, wanted: string | null, ...says: string[]): RecordFinding => ({
    ...about,
    result,
    published,
    wanted: wanted === null ? [] : [quotedText(wanted)],
    says,
  })
  const [record] = records
  if (records.length > 1)
    return finding('DIFFERENT', record ?? null, 'There are several records; receivers ignore all of them.')
  if (record !== undefined) {
    const content = readDmarcRecord(record)
    if (content.faults.length > 0)
      return finding('DIFFERENT', correctedRecord(domain, content), ...content.faults)
    return finding('OK', null, ...notesOf(content.p, content))
  }
  if (misspelt.length > 0)
    return finding(
      'DIFFERENT',
      newRecord(domain),
      'Receivers ignore the record: it must begin with v=DMARC1, in upper case, before a semicolon.',
    )
  const found = findParentPolicy(dmarc)
  switch (found.kind) {
    case 'Failed':
      return failedQueryFinding(about, found)
    case 'Organisation': {
      const policy = subdomainPolicy(found.record, mx.kind !== 'NoSuchName')
      const { faults } = found.record
      return finding(
        faults.length > 0 ? 'WARN' : 'OK',
        null,
        `The record of ${found.domain} applies, with the policy ${policy ?? 'none'} for this domain.`,
        ...faults,
        ...notesOf(policy, found.record),
      )
    }
    case 'PublicSuffix':
      return finding('MISSING', newRecord(domain), publicSuffixText(found.domain), ...missingTexts)
    case 'NoRecord':
      return finding('MISSING', newRecord(domain), ...missingTexts)
  }
}

const newRecord = (domain: string): string => `v=DMARC1; p=none; rua=mailto:dmarc-reports@${domain}`

const missingTexts = [
  'Receivers cannot recognise mail that forges your domain in From, and large providers refuse or mark bulk mail without DMARC.',
  'Begin with p=none: it changes no delivery, and the reports show which of your own mail fails SPF and DKIM. With a stricter policy, that mail is lost. First create the mailbox of rua.',
]

const publicSuffixText = (domain: string): string =>
  `Only the record of the public suffix ${domain} applies, and its operator gets the reports.`

function correctedRecord(domain: string, { p, sp, np, rua }: DmarcRecord): string {
  const tags = [
    ['p', p ?? 'none'],
    ['sp', sp],
    ['np', np],
    ['rua', rua.join(',') || `mailto:dmarc-reports@${domain}`],
  ]
  return ['v=DMARC1', ...tags.flatMap(([tag, value]) => (value ? [`${tag}=${value}`] : []))].join('; ')
}

/** RFC 9989 §4.10.1: `sp` applies to a subdomain, or `np` if the subdomain does not exist, else `p`. */
const subdomainPolicy = ({ p, sp, np }: DmarcRecord, exists: boolean): DmarcPolicy | null =>
  (exists ? sp : (np ?? sp)) ?? p

function notesOf(policy: DmarcPolicy | null, { rua, isTest }: DmarcRecord): string[] {
  return [
    ...(policy === 'none' || policy === null
      ? [
          'With the policy none, receivers deliver forged mail. When the reports show that your own mail passes, change it to quarantine, then to reject.',
        ]
      : []),
    ...(isTest && policy !== 'none' ? ['With t=y, receivers apply the next weaker policy.'] : []),
    ...(rua.length === 0 ? ['There is no rua, so you get no reports.'] : []),
  ]
}
