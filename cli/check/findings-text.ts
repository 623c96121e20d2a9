/** Formats findings, one line each, so that `grep FAIL` works. */
import { printable } from '../text/format.ts'
import type { Finding, Result } from './findings/finding.ts'

export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.map(({ check, subject, result, seen, advice }) =>
    printable(
      [
        result.padEnd(4),
        '  ',
        check.padEnd(width),
        '  ',
        subject === undefined ? '' : `${subject}: `,
        seen,
        advice === null ? '' : ` → ${advice}`,
      ].join(''),
    ),
  )
  return `${[...lines, '', summary(findings)].join('\n')}\n`
}

const results: readonly Result[] = ['OK', 'WARN', 'FAIL']

const summary = (findings: readonly Finding[]): string =>
  results
    .map((result) => `${findings.filter((finding) => finding.result === result).length} ${result}`)
    .join(', ')
