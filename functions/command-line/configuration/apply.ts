/** Carries a plan out, write by write, each only over the version that the plan was made from. */
import { z } from 'zod'
import type { ApiClient } from '../api/client.ts'
import { escaped } from '../api/client.ts'
import { Refusal } from '../api/problem.ts'
import { Fault } from '../faults.ts'
import { counted } from '../text/words.ts'
import { acceptedDomains } from './kinds.ts'
import { type Change, inOrderOfWriting } from './plan.ts'

export interface Warning {
  readonly of: string
  readonly name: string
  readonly path: string
  readonly message: string
}

const Saved = z.looseObject({
  warnings: z.array(z.object({ path: z.string(), message: z.string() })).default([]),
})

/**
 * @returns what the gateway remarked on
 * @throws Fault that says what was written before it
 */
export async function carryOut(api: ApiClient, changes: readonly Change[]): Promise<Warning[]> {
  const writes = inOrderOfWriting(changes)
  const warnings: Warning[] = []
  for (const [done, change] of writes.entries()) {
    try {
      for (const remark of await write(api, change))
        warnings.push({ of: change.of.one, name: labelOf(change), ...remark })
    } catch (error) {
      throw stopped(error, change, done, writes.length)
    }
  }
  return warnings
}

async function write(api: ApiClient, change: Change): Promise<{ path: string; message: string }[]> {
  switch (change.kind) {
    case 'Create': {
      const { of, wanted } = change
      const saved =
        of === acceptedDomains
          ? await api.put(Saved, `${of.path}/${escaped(wanted.key)}`, wanted.fields)
          : await api.post(Saved, of.path, wanted.fields)
      return saved.warnings
    }
    case 'Replace': {
      const { existing, wanted } = change
      return (await api.put(Saved, existing.path, wanted.fields, existing.version)).warnings
    }
    case 'Remove':
      await api.delete(change.existing.path, change.existing.version)
      return []
    default:
      return []
  }
}

export const labelOf = (change: Change): string =>
  'wanted' in change ? change.wanted.label : change.existing.label

/** RFC 9110 §13.1.1: 412 says that what was read is no longer what is there; so do a taken name and a missing one. */
const changedMeanwhile = new Set([404, 409, 412, 428])

function stopped(error: unknown, change: Change, done: number, of: number): unknown {
  if (!(error instanceof Fault)) return error
  const what = `${change.of.one} "${labelOf(change)}"`
  const meanwhile = error instanceof Refusal && changedMeanwhile.has(error.status)
  const so = `${counted(done, 'change')} of ${of} had been written before. ${meanwhile ? 'See what is there now, then apply again.' : 'Applying again goes on from there.'}`
  return new Fault(
    meanwhile ? `${what}: somebody else changed it in the meantime` : `${what}: ${error.message}`,
    meanwhile ? [error.message, ...error.lines, so] : [...error.lines, so],
  )
}
