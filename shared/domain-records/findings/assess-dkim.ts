/** Checks the DKIM keys of the given selectors (RFC 6376), or else whether the domain has any key. Pure. */
import type { DnsAnswer } from '../../net/dns/answer.ts'
import type { DkimFacts } from '../facts/dkim-facts.ts'
import type { DomainFacts } from '../facts/domain-facts.ts'
import { type Plan, sesSender } from '../publication-plan.ts'
import { dkimKeyName, domainKeysName, quotedText } from '../zone-records.ts'
import { readDkimKey } from './dkim-key.ts'
import { failedQueryFinding, type RecordFinding, type Result, recordsOf } from './record-finding.ts'

export function assessDkim(plan: Plan, { dkim }: DomainFacts): RecordFinding[] {
  if (dkim.kind === 'Existence') return [assessExistence(plan, dkim)]
  return dkim.keys.map(({ selector, answer }) => assessKey(plan, selector, answer))
}

function assessKey(plan: Plan, selector: string, answer: DnsAnswer<string>): RecordFinding {
  const about = { record: 'DKIM' as const, name: dkimKeyName(selector, plan.domain) }
  if (answer.kind === 'Failed') return failedQueryFinding(about, answer)
  const records = recordsOf(answer)
  const finding = (result: Result, ...says: string[]): RecordFinding => ({
    ...about,
    result,
    published: records.map(quotedText),
    wanted: [],
    says,
  })
  const [record] = records
  if (record === undefined)
    return finding(
      'MISSING',
      'There is no key: receivers cannot verify signatures with this selector.',
      ...sourceTexts(plan),
    )
  if (records.length > 1)
    return finding(
      'DIFFERENT',
      'There are several records; receivers choose any or none of them (RFC 6376 §3.6.2.2).',
    )
  const key = readDkimKey(record)
  if (key.kind === 'Unusable') return finding('DIFFERENT', key.fault, ...sourceTexts(plan))
  if (key.warnings.length > 0) return finding('WARN', ...key.warnings)
  return finding('OK', `It is ${key.description}${sesAliasText(answer)}.`)
}

const sesAliasText = (answer: DnsAnswer<string>): string =>
  answer.kind === 'Found' && answer.name.endsWith('.dkim.amazonses.com') ? ' of Amazon SES' : ''

/**
 * RFC 8020: NXDOMAIN for `_domainkey` proves that no selector exists below it. An empty answer proves that one exists,
 * unless the server gives such an answer for every name: for a wildcard, or for compact denial in a signed zone.
 */
function assessExistence(
  plan: Plan,
  { domainKeys, missingName }: Extract<DkimFacts, { kind: 'Existence' }>,
): RecordFinding {
  const about = { record: 'DKIM' as const, name: domainKeysName(plan.domain) }
  if (domainKeys.kind === 'Failed') return failedQueryFinding(about, domainKeys)
  const finding = (result: Result, ...says: string[]): RecordFinding => ({
    ...about,
    result,
    published: [],
    wanted: [],
    says,
  })
  if (domainKeys.kind === 'NoSuchName')
    return finding(
      'MISSING',
      'No selector exists, so receivers cannot verify any DKIM signature of the domain.',
      ...sourceTexts(plan),
    )
  if (domainKeys.kind === 'NoData' && missingName.kind === 'NoSuchName')
    return finding(
      'OK',
      `The domain has DKIM keys. DNS cannot list them: check each ${plan.instructions.checkSelector}.`,
    )
  return {
    ...finding(
      'UNKNOWN',
      `The name server does not show whether a selector exists. Check each key ${plan.instructions.checkSelector}.`,
    ),
    optional: true,
  }
}

/** Where the administrator finds the records to publish: the selectors of Amazon SES are random. */
const sourceTexts = ({ egress, domain }: Plan): string[] =>
  egress.includes(sesSender)
    ? [
        `Amazon SES (Easy DKIM) needs three records TOKEN.${domainKeysName(domain)} CNAME TOKEN.dkim.amazonses.com. Its console shows them: Verified identities, ${domain}, Authentication, View DNS records. So does: aws ses get-identity-dkim-attributes --identities ${domain}`,
      ]
    : ['The server that signs the mail of the domain gives the record to publish.']
