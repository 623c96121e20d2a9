/** Finds what is probably a mistake in a list of names that is valid, such as a comma in place of a dot. Pure. */
import { countText, firstNames } from '../../../../../shared/policy/text-lists.ts'
import type { FieldKind } from './fields.ts'
import { entriesOf } from './read-field.ts'

const shownNames = 5
const kinds: readonly FieldKind[] = ['Patterns', 'CertificateNames', 'Domains']

/** @param noun one entry, for the number of entries */
export function listWarnings(kind: FieldKind, text: string, noun: string): string[] {
  if (!kinds.includes(kind)) return []
  const entries = entriesOf(text)
  const withoutDot = entries.filter((entry) => entry !== '*' && !entry.replace(/^\*\./, '').includes('.'))
  const isSplit = text.split(/[\r\n]+/).some((line) => entriesOf(line).length > 1)
  return [
    ...(withoutDot.length > 0
      ? [`Without a dot: ${firstNames(withoutDot, shownNames)}. Is a part missing?`]
      : []),
    ...(isSplit
      ? [
          `${countText(entries.length, noun)}: ${firstNames(entries, shownNames)}. The text was split at commas, semicolons or spaces.`,
        ]
      : []),
  ]
}
