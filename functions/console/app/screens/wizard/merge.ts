/** Merges two changes of one connector, field by field. Pure. */

import { isEqual } from './difference.ts'
import type { Body } from './draft.ts'

export interface MergedField {
  name: string
  base: unknown
  /** As another person or program saved it. */
  saved: unknown
  /** As it is in the draft. */
  entered: unknown
  /** Draft: only the draft changed it. Saved: only the other change did. Same: both agree. Conflict: they differ. */
  source: 'Draft' | 'Saved' | 'Same' | 'Conflict'
}

export type Choice = 'Saved' | 'Draft' | 'Both'
export type Choices = Readonly<Record<string, Choice>>

/** The fields that either change changed. */
export function mergeFields(base: Body, saved: Body, entered: Body): MergedField[] {
  const names = Object.keys(entered).filter(
    (name) => !isEqual(base[name], saved[name]) || !isEqual(base[name], entered[name]),
  )
  return names.map((name) => {
    const values = { base: base[name], saved: saved[name], entered: entered[name] }
    return { name, ...values, source: sourceOf(values) }
  })
}

function sourceOf({ base, saved, entered }: Pick<MergedField, 'base' | 'saved' | 'entered'>) {
  if (isEqual(saved, entered)) return 'Same'
  if (isEqual(base, saved)) return 'Draft'
  return isEqual(base, entered) ? 'Saved' : 'Conflict'
}

/** Whether both changes of a field can hold: each of two lists adds and removes entries. */
export const canHoldBoth = ({ base, saved, entered }: MergedField): boolean =>
  [base, saved, entered].every(Array.isArray)

/** @returns the fields after the merge; null while a conflict has no choice */
export function mergedBody(entered: Body, fields: readonly MergedField[], choices: Choices): Body | null {
  if (fields.some(({ name, source }) => source === 'Conflict' && choices[name] === undefined)) return null
  return {
    ...entered,
    ...Object.fromEntries(fields.map((field) => [field.name, mergedValue(field, choices[field.name])])),
  }
}

function mergedValue(field: MergedField, choice: Choice | undefined): unknown {
  if (field.source !== 'Conflict') return field.source === 'Saved' ? field.saved : field.entered
  if (choice === 'Both') return mergedList(field)
  return choice === 'Saved' ? field.saved : field.entered
}

/** The entries that neither change removed, and those that either added. */
function mergedList(field: MergedField): unknown[] {
  const [base, saved, entered] = [field.base, field.saved, field.entered] as [unknown[], unknown[], unknown[]]
  const has = (list: unknown[], item: unknown) => list.some((other) => isEqual(other, item))
  return [
    ...saved.filter((item) => has(entered, item) || !has(base, item)),
    ...entered.filter((item) => !has(saved, item) && !has(base, item)),
  ]
}
