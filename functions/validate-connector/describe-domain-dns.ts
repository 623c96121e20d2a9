/**
 * Describes plan and findings for the API's clients. The attack: records with invisible or very many characters that
 * forge the surrounding text, that make the response larger than Lambda permits (6 MB), or that, as part of a line to paste,
 * publish something else. The defence: no invisible character remains, and texts and lists have limits. A line to paste has
 * a simple form, or is left out. Not covered: visible text that misleads. Pure.
 */
import {
  type DnsCheck,
  type DomainDns,
  maxTextLength,
  maxTexts,
} from '../../shared/domain-records/domain-dns.ts'
import type { RecordFinding, RecordKind } from '../../shared/domain-records/findings/record-finding.ts'
import type { Plan } from '../../shared/domain-records/publication-plan.ts'
import { policyUrl, type ZoneRecord, zoneRecords } from '../../shared/domain-records/zone-records.ts'
import { toSingleLine } from '../../shared/mail/peer-text.ts'

export const describeDomainDns = (plan: Plan, findings: readonly RecordFinding[]): DomainDns => ({
  domain: plan.domain,
  hosts: [...plan.hosts],
  records: zoneRecords(plan).map(zoneLine),
  policy: { url: policyUrl(plan.domain), id: plan.policy.id, text: plan.policy.text },
  checks: findings.map(describeFinding),
})

function describeFinding({ record, name, result, published, wanted, says }: RecordFinding): DnsCheck {
  return {
    check: record,
    name: limitText(name),
    status: result,
    found: limitTexts(published),
    expected: limitTexts(wanted),
    publish: linesToPaste(`${name}.`, typeByKind[record], wanted),
    detail: limitTexts(says),
  }
}

/** A name, class and type, then words and strings of printable ASCII: no comment, parenthesis or directive. */
const plainLine = /^[\w.*-]+ IN [A-Z]+(?: (?:[\w.-]+|"(?:[ !#-[\]-~]|\\["\\])*"))+$/

function linesToPaste(name: string, type: string | undefined, values: readonly string[]): string[] {
  if (type === undefined) return []
  const lines = values.map((value) => zoneLine({ name, type, value }))
  return limitTexts(lines.filter((line) => line.length <= maxTextLength && plainLine.test(line)))
}

/** The type of the records to publish. Findings of other kinds want none, or, like a policy, no record. */
const typeByKind: Readonly<Partial<Record<RecordKind, string>>> = {
  MX: 'MX',
  CAA: 'CAA',
  SPF: 'TXT',
  DKIM: 'TXT',
  DMARC: 'TXT',
  'MTA-STS': 'TXT',
  'TLS-RPT': 'TXT',
  TLSA: 'TLSA',
}

const zoneLine = ({ name, type, value }: ZoneRecord): string => `${name} IN ${type} ${value}`

const limitText = (text: string): string => toSingleLine(text, maxTextLength)

const limitTexts = (texts: readonly string[]): string[] => texts.slice(0, maxTexts).map(limitText)
