/** SPF (RFC 7208): whether receivers are told that our mail comes from where it comes from. Pure. */

import type { DomainFacts } from '../facts/domain-facts.ts'
import { isSpf, type Permission, sesName } from '../facts/spf-evaluation.ts'
import type { Plan } from '../publication-plan.ts'
import { quotedText, spfOf, spfTerms } from '../zone-records.ts'
import { type RecordFinding, recordsIn, unanswered } from './record-finding.ts'

export function judgeSpf(plan: Plan, { txt, permissions }: DomainFacts): RecordFinding {
  const about = { record: 'SPF', name: plan.domain }
  if (txt.kind === 'Failed') return unanswered(about, txt)
  const records = recordsIn(txt).filter(isSpf)
  const [record, ...others] = records
  const published = records.map(quotedText)
  const anew = [quotedText(spfOf(plan))]
  if (record === undefined)
    return {
      ...about,
      result: 'MISSING',
      published,
      wanted: anew,
      says: ['Receivers cannot tell your mail from what others send in your name.'],
    }
  if (others.length > 0)
    return {
      ...about,
      result: 'DIFFERENT',
      published,
      wanted: anew,
      says: [
        `There are ${records.length} SPF records. Receivers use none of several (RFC 7208 §4.5): make them one.`,
      ],
    }
  const unknown = permissions.filter(({ result }) => result === null || result === 'temperror')
  const wrong = permissions.filter((each) => each.result !== 'pass' && !unknown.includes(each))
  if (wrong.length > 0)
    return {
      ...about,
      result: wrong.every(isHarmless) ? 'WARN' : 'DIFFERENT',
      published,
      wanted: [quotedText(amended(record, plan))],
      says: wrong.map(faultOf),
    }
  const everybody = /[ ]\+?all(?: |$)/i.test(record)
    ? ['It ends with +all, which permits everybody to send in your name. "-all" is meant.']
    : []
  return {
    ...about,
    result: unknown.length > 0 ? 'UNKNOWN' : everybody.length > 0 ? 'WARN' : 'OK',
    published,
    wanted: [],
    says: [
      ...unknown.map(({ sender, why }) => `Whether it permits ${sender} cannot be found out: ${why}.`),
      ...everybody,
    ],
  }
}

/**
 * Amazon SES puts a domain of Amazon into the envelope, or a subdomain made for it (its MAIL FROM domain), and that is
 * whose record receivers look at.
 */
const isHarmless = ({ sender, result }: Permission): boolean => sender === sesName && result !== 'permerror'

function faultOf(permission: Permission): string {
  const { sender, result, why } = permission
  if (result === 'permerror') return `Receivers cannot use it: ${why}.`
  const fault = `It does not permit ${sender} (the result is ${result}).`
  return isHarmless(permission)
    ? `${fault} That harms only receivers who look here and not at the domain in the envelope, which Amazon SES takes from Amazon, or from the MAIL FROM domain of your identity: ask about that one, too.`
    : fault
}

/** With our senders before whatever ends it. What cannot be read is written anew. */
function amended(record: string, plan: Plan): string {
  const terms = record.split(' ').filter((term) => term !== '')
  const ours = spfTerms(plan).filter((term) => !terms.some((each) => each.toLowerCase() === term))
  if (ours.length === 0) return spfOf(plan)
  const end = terms.findIndex((term) => /^(?:[-+~?]?all|redirect=.*)$/i.test(term))
  const at = end < 0 ? terms.length : end
  return [...terms.slice(0, at), ...ours, ...terms.slice(at)].join(' ')
}
