/** Parses a request. Malformed input is refused before any lookup. */
import * as z from 'zod'
import type { ExpectedVersions } from '../contract/expected-versions.ts'
import { type Fault, faultsOf } from '../contract/schema-faults.ts'
import { Problem } from './problem.ts'

/** @throws Problem 400 naming every invalid parameter */
export function parseQuery<T extends z.ZodType>(schema: T, rawQueryString: string): z.output<T> {
  const parameters = new URLSearchParams(rawQueryString)
  const names = [...parameters.keys()]
  const repeated = names.filter((name, index) => names.indexOf(name) !== index)
  if (repeated.length > 0)
    throw new Problem(400, 'The query repeats a parameter.', {
      errors: [...new Set(repeated)].map((path) => ({ path, message: 'is given more than once' })),
    })
  const parsed = schema.safeParse(Object.fromEntries(parameters))
  if (parsed.success) return parsed.data
  throw new Problem(400, 'The query is not valid.', {
    errors: faultsOf(parsed.error).map((fault) => renamedFault(schema, fault)),
  })
}

/** Former names of parameters, whose present names a client cannot guess. */
const presentNames = new Map([
  ['since', 'from'],
  ['until', 'to'],
])

function renamedFault(schema: z.ZodType, fault: Fault): Fault {
  const name = presentNames.get(fault.path)
  if (name === undefined || !(schema instanceof z.ZodObject) || !(name in schema.shape)) return fault
  return { path: fault.path, message: `is now called ${name}` }
}

/** @returns the problem of a parameter that its schema permits, but not together with the others */
export const invalidParameter = (path: string, message: string): Problem =>
  new Problem(400, 'The query is not valid.', { errors: [{ path, message }] })

export const entityTag = ({ version }: { version: number }): string => `"${version}"`

/**
 * If-Match (RFC 9110 §13.1.1): `*` or a list of entity tags. Comparison is strong: weak and unknown tags match
 * nothing.
 * @returns null when the header is missing
 * @throws Problem 400
 */
export function parseIfMatch(value: string | undefined): ExpectedVersions | null {
  if (value === undefined) return null
  if (value.trim() === '*') return 'any'
  const tags = value.split(',').map((tag) => tag.trim())
  if (!tags.every((tag) => /^(?:W\/)?"[^"]*"$/.test(tag)))
    throw new Problem(400, 'If-Match is not a list of entity tags. Send the ETag as it was received: "1".')
  return tags.filter((tag) => /^"[1-9]\d{0,14}"$/.test(tag)).map((tag) => Number(tag.slice(1, -1)))
}

/** Parses an opaque cursor: the position where the previous page ended. */
export function cursorSchema<T extends z.ZodType>(positionSchema: T) {
  return z
    .string()
    .max(1400)
    .transform((text, context): z.output<T> => {
      const parsed = positionSchema.safeParse(decodeCursor(text))
      if (parsed.success) return parsed.data
      context.addIssue({ code: 'custom', message: 'is not a cursor of this list' })
      return z.NEVER
    })
    .describe('nextCursor of the previous page')
}

export const encodeCursor = (position: unknown): string =>
  Buffer.from(JSON.stringify(position)).toString('base64url')

function decodeCursor(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    return undefined
  }
}
