/** Computes the changes that make the gateway's configuration match a file. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { FieldChange } from '../../shared/policy/change-effects.ts'
import {
  type Configuration,
  type DesiredEntry,
  type EntryKind,
  entryKinds,
  type Fields,
} from './entry-kinds.ts'
import type { CurrentConfiguration, CurrentEntry } from './read-current-configuration.ts'

export type Change =
  | { readonly kind: 'Create'; readonly entryKind: EntryKind; readonly desired: DesiredEntry }
  | {
      readonly kind: 'Replace'
      readonly entryKind: EntryKind
      readonly desired: DesiredEntry
      readonly current: CurrentEntry
      readonly fields: readonly FieldChange[]
    }
  | { readonly kind: 'Unchanged'; readonly entryKind: EntryKind; readonly current: CurrentEntry }
  | { readonly kind: 'Remove'; readonly entryKind: EntryKind; readonly current: CurrentEntry }
  /** The file does not name the entry, and the gateway keeps it. */
  | { readonly kind: 'NotInFile'; readonly entryKind: EntryKind; readonly current: CurrentEntry }

/**
 * @returns the changes, sorted by kind of entry (`entryKinds`). Within a kind, the entries of the file come first in
 * its order, then the entries that are not in the file
 */
export function planChanges(file: Configuration, current: CurrentConfiguration, prune: boolean): Change[] {
  return entryKinds.flatMap((kind) => {
    const desired = file[kind.name]
    return desired === null ? [] : planOf(kind, desired, current[kind.name], prune)
  })
}

function planOf(
  entryKind: EntryKind,
  desired: readonly DesiredEntry[],
  currentEntries: readonly CurrentEntry[],
  prune: boolean,
): Change[] {
  const currentByKey = new Map(currentEntries.map((entry) => [entry.key, entry]))
  const keysInFile = new Set(desired.map(({ key }) => key))
  const rest = currentEntries.filter(({ key }) => !keysInFile.has(key))
  return [
    ...desired.map((entry) => changeOf(entryKind, entry, currentByKey.get(entry.key))),
    ...rest.map((current): Change => ({ kind: prune ? 'Remove' : 'NotInFile', entryKind, current })),
  ]
}

/** The change that makes an entry of the gateway the desired one. */
export function changeOf(
  entryKind: EntryKind,
  desired: DesiredEntry,
  current: CurrentEntry | undefined,
): Change {
  if (current === undefined) return { kind: 'Create', entryKind, desired }
  const fields = difference(current.fields, desired.fields)
  if (fields.length === 0) return { kind: 'Unchanged', entryKind, current }
  return { kind: 'Replace', entryKind, desired, current, fields }
}

function difference(from: Fields, to: Fields): FieldChange[] {
  return Object.keys(to)
    .filter((field) => !isDeepStrictEqual(from[field], to[field]))
    .map((field) => ({ field, from: from[field], to: to[field] }))
}

export const isWritten = ({ kind }: Change): boolean => kind !== 'Unchanged' && kind !== 'NotInFile'

/** Puts removals last, so that a replaced rule is removed only when its successor exists. */
export const inOrderOfWriting = (changes: readonly Change[]): Change[] => {
  const writes = changes.filter(isWritten)
  return [
    ...writes.filter(({ kind }) => kind !== 'Remove'),
    ...writes.filter(({ kind }) => kind === 'Remove'),
  ]
}
