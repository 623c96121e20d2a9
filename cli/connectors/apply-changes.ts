/** Executes a plan write by write. Each write replaces only the version that the plan was made from. */
import { z } from 'zod'
import { countText } from '../../shared/policy/words.ts'
import type { ApiClient } from '../api/client.ts'
import { escaped } from '../api/client.ts'
import { Refusal } from '../api/problem.ts'
import { Fault } from '../faults.ts'
import { acceptedDomains } from './kinds.ts'
import { type Change, inOrderOfWriting } from './plan-changes.ts'

/**
 * Ignores the warnings in responses: they concern intermediate states. configuration-warnings.ts checks the result.
 * @throws Fault that names the failed change and counts the changes written before it
 */
export async function applyChanges(api: ApiClient, changes: readonly Change[]): Promise<void> {
  const writes = inOrderOfWriting(changes)
  for (const [done, change] of writes.entries()) {
    try {
      await write(api, change)
    } catch (error) {
      throw stopped(error, change, done, writes.length)
    }
  }
}

async function write(api: ApiClient, change: Change): Promise<void> {
  switch (change.kind) {
    case 'Create': {
      const { of, wanted } = change
      if (of === acceptedDomains)
        await api.put(z.unknown(), `${of.path}/${escaped(wanted.key)}`, wanted.fields)
      else await api.post(z.unknown(), of.path, wanted.fields)
      return
    }
    case 'Replace': {
      const { existing, wanted } = change
      await api.put(z.unknown(), existing.path, wanted.fields, existing.version)
      return
    }
    case 'Remove':
      await api.delete(change.existing.path, change.existing.version)
  }
}

export const labelOf = (change: Change): string =>
  'wanted' in change ? change.wanted.label : change.existing.label

/** Statuses of a concurrent change: 412 (RFC 9110 §13.1.1), a name already taken, a missing entry. */
const changedMeanwhile = new Set([404, 409, 412, 428])

function stopped(error: unknown, change: Change, done: number, of: number): unknown {
  if (!(error instanceof Fault)) return error
  const what = `${change.of.one} "${labelOf(change)}"`
  const meanwhile = error instanceof Refusal && changedMeanwhile.has(error.status)
  const so = `${countText(done, 'change')} of ${of} had been written before. ${meanwhile ? 'Check the current configuration, then apply again.' : 'Apply again to write the rest.'}`
  return new Fault(
    meanwhile ? `${what}: changed by someone else in the meantime` : `${what}: ${error.message}`,
    meanwhile ? [error.message, ...error.lines, so] : [...error.lines, so],
  )
}
