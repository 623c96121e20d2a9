/** The effect of a planned change on mail, in sentences. */
import { changeEffects, removalEffects } from '../../shared/policy/change-effects.ts'
import type { Change } from './plan-changes.ts'

/** @returns a sentence for each effect; none for a new entry, whose settings are printed */
export function effectsOf(change: Change): string[] {
  const kind = change.entryKind.name
  if (change.kind === 'Remove') return removalEffects(kind, change.current.fields)
  if (change.kind !== 'Replace') return []
  return changeEffects(kind, change.current.fields, change.desired.fields, change.fields)
}
