/** Everything that is wanted, and what of it is there; for people. */
import { aligned, indented } from '../text/table.ts'
import { printable } from '../text/words.ts'
import type { Check } from './check.ts'
import { type Plan, policyAddress, zoneOf } from './plan.ts'

export function reportText(plan: Plan, checks: readonly Check[]): string {
  const rows = zoneOf(plan).map(({ name, type, value }) => [name, `IN ${type}`, value])
  return [
    `To publish for ${plan.domain}:`,
    '',
    indent(aligned(rows), 2),
    '',
    `  ${policyAddress(plan.domain)}`,
    indent(plan.policy.text.trimEnd(), 4),
    '',
    'What is there:',
    '',
    ...checks.map(checkText),
    '',
  ].join('\n')
}

const indent = (text: string, by: number): string =>
  text
    .split(/\r?\n/)
    .map((line) => `${' '.repeat(by)}${line}`)
    .join('\n')

const margin = 13

function checkText({ record, name, result, published, wanted, says }: Check): string {
  const values = (what: string, some: readonly string[]) =>
    some.map((value, at) => `${' '.repeat(margin)}${(at === 0 ? what : '').padEnd(8)}${printable(value)}`)
  return [
    `  ${result.padEnd(margin - 2)}${record} of ${name}`,
    ...(result === 'OK' ? [] : [...values('is', published), ...values('should', wanted)]),
    ...says.map((sentence) => indented(printable(sentence), margin)),
  ].join('\n')
}
