import { comparableName } from '../../shared/connectors/comparable-name.ts'
import { acceptedDomains, type DesiredEntry, type EntryKind } from './entry-kinds.ts'

/** @param parsed the output of the kind's schema */
export function toDesiredEntry(kind: EntryKind, parsed: unknown): DesiredEntry {
  const fields = parsed as Record<string, unknown>
  if (kind !== acceptedDomains)
    return { key: comparableName(String(fields.name)), label: String(fields.name), fields }
  const { domain, ...rest } = fields
  return { key: String(domain), label: String(domain), fields: rest }
}
