/**
 * Fields that the API sets. A client may send back a resource as it read it, so a write accepts these fields with the
 * values that the resource has, and refuses other values.
 */
import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { type Fault, faultsOf } from '../../shared/contract/schema-faults.ts'
import { Problem } from '../../shared/http-api/problem.ts'

type Fields = Record<string, unknown>

/** @returns the input's schema with the fields that only the stored resource has */
export function withReadOnlyFields(input: z.ZodObject, stored: z.ZodObject): z.ZodObject {
  const readOnly = Object.entries(stored.shape as Record<string, z.ZodType>)
    .filter(([name]) => !Object.hasOwn(input.shape, name))
    .map(([name, field]) => [name, field.optional().describe('read-only: absent, or as GET returned it')])
  return input.safeExtend(Object.fromEntries(readOnly))
}

/** Divides a body into the fields of the input and the read-only fields. */
export function separateReadOnly(input: z.ZodObject, body: Fields): { fields: Fields; readOnly: Fields } {
  const entries = Object.entries(body)
  return {
    fields: Object.fromEntries(entries.filter(([name]) => Object.hasOwn(input.shape, name))),
    readOnly: Object.fromEntries(
      entries.filter(([name, value]) => !Object.hasOwn(input.shape, name) && value !== undefined),
    ),
  }
}

/** @throws Problem 422 that names every changed field */
export function checkReadOnly(readOnly: Fields, current: Fields): void {
  const errors = readOnlyFaults(readOnly, current)
  if (errors.length > 0) throw new Problem(422, 'The body changes a read-only field.', { errors })
}

const readOnlyFaults = (readOnly: Fields, current: Fields): Fault[] =>
  Object.keys(readOnly)
    .filter((name) => !isDeepStrictEqual(readOnly[name], current[name]))
    .map((path) => ({ path, message: 'is read-only: leave it out, or send it as GET returned it' }))

/** A JSON merge patch (RFC 7396). No field of a resource is an object, so the patch is one level deep. */
export const MergePatch = z
  .looseObject({})
  .describe('the fields to change; null gives a field its default (RFC 7396)')

/**
 * @param current the stored resource
 * @returns the patched input
 * @throws Problem 422 that names every fault
 */
export function applyMergePatch<T extends z.ZodObject>(
  patch: Fields,
  current: Fields,
  input: T,
): z.output<T> {
  const isKnown = (name: string) => Object.hasOwn(current, name) || Object.hasOwn(input.shape, name)
  const unknown = Object.keys(patch).filter((name) => !isKnown(name))
  const known = Object.fromEntries(Object.entries(patch).filter(([name]) => isKnown(name)))
  const { fields, readOnly } = separateReadOnly(input, known)
  const merged = { ...separateReadOnly(input, current).fields, ...fields }
  const parsed = input.safeParse(
    Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)),
  )
  const errors = [
    ...unknown.map((path) => ({ path, message: 'is not a known field' })),
    ...readOnlyFaults(readOnly, current),
    ...(parsed.success ? [] : faultsOf(parsed.error)),
  ]
  if (!parsed.success || errors.length > 0) throw new Problem(422, 'The body is not valid.', { errors })
  return parsed.data
}
