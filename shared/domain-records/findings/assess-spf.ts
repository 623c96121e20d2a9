/** Checks that the SPF record (RFC 7208) permits the hosts that send the domain's mail. Pure. */

import type { DomainFacts } from '../facts/domain-facts.ts'
import { isSpf, type SpfResult, sesName } from '../facts/spf-evaluation.ts'
import type { Plan } from '../publication-plan.ts'
import { quotedText, spfTerms, spfValue } from '../zone-records.ts'
import { failedQueryFinding, type RecordFinding, recordsOf } from './record-finding.ts'

export function assessSpf(plan: Plan, { txt, spfResults }: DomainFacts): RecordFinding {
  const about = { record: 'SPF' as const, name: plan.domain }
  if (txt.kind === 'Failed') return failedQueryFinding(about, txt)
  const records = recordsOf(txt).filter(isSpf)
  const [record, ...others] = records
  const published = records.map(quotedText)
  const newRecord = [quotedText(spfValue(plan))]
  if (record === undefined)
    return {
      ...about,
      result: 'MISSING',
      published,
      wanted: newRecord,
      says: ['Receivers cannot distinguish your mail from forged mail.'],
    }
  if (others.length > 0)
    return {
      ...about,
      result: 'DIFFERENT',
      published,
      wanted: newRecord,
      says: [
        `There are ${records.length} SPF records. With several records, SPF fails with permerror (RFC 7208 §4.5): merge them into one.`,
      ],
    }
  const unknown = spfResults.filter(({ result }) => result === null || result === 'temperror')
  const rejected = spfResults.filter((result) => result.result !== 'pass' && !unknown.includes(result))
  if (rejected.length > 0)
    return {
      ...about,
      result: rejected.every(isHarmless) ? 'WARN' : 'DIFFERENT',
      published,
      wanted: [quotedText(amendRecord(record, plan))],
      says: rejected.map(faultOf),
    }
  const permitsAll = /[ ]\+?all(?: |$)/i.test(record)
    ? ['The record has "all" or "+all", which permits any host to send mail for your domain. Use "-all".']
    : []
  return {
    ...about,
    result: unknown.length > 0 ? 'UNKNOWN' : permitsAll.length > 0 ? 'WARN' : 'OK',
    published,
    wanted: [],
    says: [
      ...unknown.map(({ sender, reason }) => `Cannot check whether the record permits ${sender}: ${reason}.`),
      ...permitsAll,
    ],
  }
}

/**
 * A record that does not permit Amazon SES is harmless. SES uses a domain of Amazon, or the identity's MAIL FROM
 * domain, as the envelope's domain, and receivers check the record of that domain. A permerror is not harmless.
 */
const isHarmless = ({ sender, result }: SpfResult): boolean => sender === sesName && result !== 'permerror'

function faultOf(permission: SpfResult): string {
  const { sender, result, reason } = permission
  if (result === 'permerror') return `Receivers cannot evaluate the record: ${reason}.`
  const fault = `The record does not permit ${sender} (the result is ${result}).`
  return isHarmless(permission)
    ? `${fault} Receivers check the envelope's domain, which Amazon SES sets to a domain of Amazon, or to the MAIL FROM domain of your identity: check that domain too.`
    : fault
}

/**
 * Inserts the missing senders before `all` or `redirect`. A record that has every sender and still fails is replaced.
 */
function amendRecord(record: string, plan: Plan): string {
  const terms = record.split(' ').filter((term) => term !== '')
  const missingTerms = spfTerms(plan).filter(
    (term) => !terms.some((existing) => existing.toLowerCase() === term),
  )
  if (missingTerms.length === 0) return spfValue(plan)
  const end = terms.findIndex((term) => /^(?:[-+~?]?all|redirect=.*)$/i.test(term))
  const position = end < 0 ? terms.length : end
  return [...terms.slice(0, position), ...missingTerms, ...terms.slice(position)].join(' ')
}
