/** Writes the changes of a plan one after another. Each write replaces only the version that the plan was made from. */
import { z } from 'zod'
import { countText } from '../../shared/policy/text-lists.ts'
import type { ApiClient } from '../api/api-client.ts'
import { encodeUrlPart } from '../api/api-client.ts'
import { ApiError } from '../api/api-error.ts'
import { CommandError } from '../command-error.ts'
import { acceptedDomains } from './entry-kinds.ts'
import { type Change, inOrderOfWriting } from './plan-changes.ts'

/**
 * Ignores the warnings in responses: they concern intermediate states. configuration-warnings.ts checks the result.
 * @throws CommandError that names the failed change and counts the changes written before it
 */
export async function applyChanges(api: ApiClient, changes: readonly Change[]): Promise<void> {
  const writes = inOrderOfWriting(changes)
  for (const [writtenCount, change] of writes.entries()) {
    try {
      await write(api, change)
    } catch (error) {
      throw applyError(error, change, writtenCount, writes.length)
    }
  }
}

async function write(api: ApiClient, change: Change): Promise<void> {
  switch (change.kind) {
    case 'Create': {
      const { entryKind, desired } = change
      if (entryKind === acceptedDomains)
        await api.put(z.unknown(), `${entryKind.path}/${encodeUrlPart(desired.key)}`, desired.fields)
      else await api.post(z.unknown(), entryKind.path, desired.fields)
      return
    }
    case 'Replace': {
      const { current, desired } = change
      await api.put(z.unknown(), current.path, desired.fields, current.version)
      return
    }
    case 'Remove':
      await api.delete(change.current.path, change.current.version)
  }
}

export const labelOf = (change: Change): string =>
  'desired' in change ? change.desired.label : change.current.label

/**
 * Statuses that show a concurrent change: 404, the entry is missing; 409, the name is taken; 412, the entry has another
 * version (RFC 9110 §13.1.1); 428, the entry to create exists already (RFC 6585 §3).
 */
const conflictStatuses = new Set([404, 409, 412, 428])

function applyError(error: unknown, change: Change, writtenCount: number, total: number): unknown {
  if (!(error instanceof CommandError)) return error
  const title = `${change.entryKind.singular} "${labelOf(change)}"`
  const isConflict = error instanceof ApiError && conflictStatuses.has(error.status)
  const progress = `Written before this error: ${countText(writtenCount, 'change')} of ${total}. ${isConflict ? 'Check the current configuration, then apply again.' : 'Apply again to write the rest.'}`
  return new CommandError(
    isConflict ? `${title}: another client changed it in the meantime` : `${title}: ${error.message}`,
    isConflict ? [error.message, ...error.lines, progress] : [...error.lines, progress],
  )
}
