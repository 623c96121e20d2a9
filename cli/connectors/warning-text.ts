/** Writes the warnings about a configuration so that an administrator reads them: few lines, the expected ones last. */
import { faultText } from '../../shared/contract/schema-faults.ts'
import { countText, firstNames } from '../../shared/policy/text-lists.ts'
import { printable } from '../text/format.ts'
import type { ConfigurationWarning } from './configuration-warnings.ts'

const maxNames = 10
/** Lines about the same field. A file of a thousand partners has a thousand warnings about one direction. */
const maxLinesOfField = 10
/** The user wrote these values, so the warning is no news. */
const expectedPaths = ['mode', 'enabled']

/** Equal warnings about several entries are one line. */
export function warningTexts(warnings: readonly ConfigurationWarning[]): string[] {
  const byField = Map.groupBy(warnings, ({ of, path }) => `${of} ${fieldOf(path)}`)
  const groups = [...byField.values()].map((ofField) => ({
    lines: linesOf(ofField),
    isExpected: expectedPaths.includes(ofField[0]?.path ?? ''),
  }))
  return [...groups.filter(({ isExpected }) => !isExpected), ...groups.filter(({ isExpected }) => isExpected)]
    .flatMap(({ lines }) => lines)
    .map((line) => `warning: ${line}`)
}

function linesOf(ofField: readonly ConfigurationWarning[]): string[] {
  const lines = [...Map.groupBy(ofField, ({ path, message }) => `${path} ${message}`).values()].map(lineOf)
  const omitted = lines.length - maxLinesOfField
  if (omitted <= 0) return lines
  const [first] = ofField
  return [
    ...lines.slice(0, maxLinesOfField),
    `${first?.of}s: ${fieldOf(first?.path ?? '')}: ${countText(omitted, 'more warning')}; --json prints all`,
  ]
}

function lineOf(same: readonly ConfigurationWarning[]): string {
  const [first] = same as [ConfigurationWarning, ...ConfigurationWarning[]]
  const names = same.map(({ name }) => `"${printable(name)}"`)
  return `${first.of}${names.length === 1 ? '' : 's'} ${firstNames(names, maxNames)}: ${printable(faultText(first))}`
}

/** The field without an index. */
const fieldOf = (path: string): string => path.replace(/\[.*/, '')
