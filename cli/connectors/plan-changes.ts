/** Computes the changes that make the gateway's configuration match a file. Pure. */
import { isDeepStrictEqual } from 'node:util'
import { type Configuration, type Fields, type Kind, kinds, type Wanted } from './kinds.ts'
import type { Existing, Present } from './read-present.ts'

export interface FieldChange {
  readonly field: string
  readonly from: unknown
  readonly to: unknown
}

export type Change =
  | { readonly kind: 'Create'; readonly of: Kind; readonly wanted: Wanted }
  | {
      readonly kind: 'Replace'
      readonly of: Kind
      readonly wanted: Wanted
      readonly existing: Existing
      readonly fields: readonly FieldChange[]
    }
  | { readonly kind: 'Unchanged'; readonly of: Kind; readonly existing: Existing }
  | { readonly kind: 'Remove'; readonly of: Kind; readonly existing: Existing }
  /** The file does not name the entry, and it stays. */
  | { readonly kind: 'NotInFile'; readonly of: Kind; readonly existing: Existing }

/** Orders changes by kind in the order of writing, then in the file's order; entries not in the file come last. */
export function planChanges(file: Configuration, present: Present, prune: boolean): Change[] {
  return kinds.flatMap((kind) => {
    const wanted = file[kind.name]
    return wanted === null ? [] : planOf(kind, wanted, present[kind.name], prune)
  })
}

function planOf(of: Kind, wanted: readonly Wanted[], present: readonly Existing[], prune: boolean): Change[] {
  const there = new Map(present.map((one) => [one.key, one]))
  const inFile = new Set(wanted.map(({ key }) => key))
  const rest = present.filter(({ key }) => !inFile.has(key))
  return [
    ...wanted.map((one) => changeOf(of, one, there.get(one.key))),
    ...rest.map((existing): Change => ({ kind: prune ? 'Remove' : 'NotInFile', of, existing })),
  ]
}

function changeOf(of: Kind, wanted: Wanted, existing: Existing | undefined): Change {
  if (existing === undefined) return { kind: 'Create', of, wanted }
  const fields = difference(existing.fields, wanted.fields)
  if (fields.length === 0) return { kind: 'Unchanged', of, existing }
  return { kind: 'Replace', of, wanted, existing, fields }
}

function difference(from: Fields, to: Fields): FieldChange[] {
  return Object.keys(to)
    .filter((field) => !isDeepStrictEqual(from[field], to[field]))
    .map((field) => ({ field, from: from[field], to: to[field] }))
}

export const isWritten = ({ kind }: Change): boolean => kind !== 'Unchanged' && kind !== 'NotInFile'

/** Puts removals last, so that mail always has a rule in between. */
export const inOrderOfWriting = (changes: readonly Change[]): Change[] => {
  const written = changes.filter(isWritten)
  return [
    ...written.filter(({ kind }) => kind !== 'Remove'),
    ...written.filter(({ kind }) => kind === 'Remove'),
  ]
}
