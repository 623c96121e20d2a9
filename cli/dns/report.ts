/** Formats the records to publish and the findings, as text and as JSON. */

import type { RecordFinding } from '../../shared/domain-records/findings/record-finding.ts'
import type { Plan } from '../../shared/domain-records/publication-plan.ts'
import { policyUrl, zoneRecords } from '../../shared/domain-records/zone-records.ts'
import { printable } from '../text/format.ts'
import { alignColumns, indentParagraph } from '../text/table.ts'

export function reportText(plan: Plan, findings: readonly RecordFinding[]): string {
  const rows = zoneRecords(plan).map(({ name, type, value }) => [name, `IN ${type}`, value])
  return [
    `To publish for ${plan.domain}:`,
    '',
    indent(alignColumns(rows), 2),
    '',
    `  ${policyUrl(plan.domain)}`,
    indent(plan.policy.text.trimEnd(), 4),
    '',
    'Findings:',
    '',
    ...findings.map(findingText),
    '',
  ].join('\n')
}

const indent = (text: string, columns: number): string =>
  text
    .split(/\r?\n/)
    .map((line) => `${' '.repeat(columns)}${line}`)
    .join('\n')

const margin = 13

function findingText({ record, name, result, published, wanted, says }: RecordFinding): string {
  const valueLines = (label: string, values: readonly string[]) =>
    values.map(
      (value, index) => `${' '.repeat(margin)}${(index === 0 ? label : '').padEnd(11)}${printable(value)}`,
    )
  return [
    `  ${result.padEnd(margin - 2)}${record}: ${name}`,
    ...(result === 'OK' ? [] : [...valueLines('published', published), ...valueLines('expected', wanted)]),
    ...says.map((sentence) => indentParagraph(printable(sentence), margin)),
  ].join('\n')
}

export const reportJson = (plan: Plan, findings: readonly RecordFinding[]) => ({
  domain: plan.domain,
  hosts: plan.hosts,
  records: zoneRecords(plan),
  policy: { url: policyUrl(plan.domain), text: plan.policy.text, id: plan.policy.id },
  checks: findings,
})
