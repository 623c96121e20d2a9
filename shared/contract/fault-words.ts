/** Words a schema's issue for the author of the value. A message that the schema itself defines stays. */
import type { z } from 'zod'

export function faultInWords(issue: z.core.$ZodIssue): string {
  if (!/^(Invalid|Too) /.test(issue.message)) return issue.message
  if (issue.code === 'invalid_type') return ofType(issue.expected, issue.message)
  if (issue.code === 'invalid_value')
    return `must be ${oneOf(issue.values.map((value) => JSON.stringify(value)))}`
  if (issue.code === 'too_small')
    return bounded(issue.origin, 'at least', Number(issue.minimum)) ?? issue.message
  if (issue.code === 'too_big')
    return bounded(issue.origin, 'at most', Number(issue.maximum)) ?? issue.message
  return issue.message
}

const types: Readonly<Record<string, string>> = {
  boolean: 'true or false',
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'an object',
}

/** @param message of the library: `Invalid input: expected array, received string` */
function ofType(expected: string, message: string): string {
  const received = / received (\w+)$/.exec(message)?.[1] ?? ''
  if (received === 'undefined') return 'is required'
  // For a fraction, zod reports `received number` although an integer is expected.
  const but = received === '' || expected === 'int' ? '' : `, not ${types[received] ?? received}`
  return `must be ${types[expected] ?? expected}${but}`
}

function oneOf(values: readonly (string | undefined)[]): string {
  if (values.length < 2) return values.join('')
  return `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}

const counted: Readonly<Record<string, string>> = { string: 'character', array: 'entry' }

function bounded(origin: string, bound: string, limit: number): string | null {
  if (origin === 'number' || origin === 'int') return `must be ${bound} ${limit}`
  const one = counted[origin]
  if (one === undefined) return null
  if (bound === 'at least' && limit === 1) return 'must not be empty'
  const many = one === 'entry' ? 'entries' : `${one}s`
  return `must have ${bound} ${limit} ${limit === 1 ? one : many}`
}
