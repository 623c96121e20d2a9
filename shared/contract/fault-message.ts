/** Returns the text of a schema's issue for the author of the value. A message that the schema defines is unchanged. */
import type * as z from 'zod'

export function faultMessage(issue: z.core.$ZodIssue): string {
  if (!/^(Invalid|Too) /.test(issue.message)) return issue.message
  if (issue.code === 'invalid_type') return typeMessage(issue.expected, issue.message)
  if (issue.code === 'invalid_value')
    return `must be ${joinAlternatives(issue.values.map((value) => JSON.stringify(value)))}`
  if (issue.code === 'too_small')
    return limitMessage(issue.origin, 'at least', Number(issue.minimum)) ?? issue.message
  if (issue.code === 'too_big')
    return limitMessage(issue.origin, 'at most', Number(issue.maximum)) ?? issue.message
  return issue.message
}

const typeNames: Readonly<Record<string, string>> = {
  boolean: 'true or false',
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'an object',
}

/** @param message text of the library, such as `Invalid input: expected array, received string` */
function typeMessage(expected: string, message: string): string {
  const received = / received (\w+)$/.exec(message)?.[1] ?? ''
  if (received === 'undefined') return 'is required'
  // For a fraction, zod reports `received number` although an integer is expected.
  const suffix = received === '' || expected === 'int' ? '' : `, not ${typeNames[received] ?? received}`
  return `must be ${typeNames[expected] ?? expected}${suffix}`
}

function joinAlternatives(values: readonly (string | undefined)[]): string {
  if (values.length < 2) return values.join('')
  return `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}

const unitNames: Readonly<Record<string, string>> = { string: 'character', array: 'entry' }

function limitMessage(origin: string, bound: string, limit: number): string | null {
  if (origin === 'number' || origin === 'int') return `must be ${bound} ${limit}`
  const singular = unitNames[origin]
  if (singular === undefined) return null
  if (bound === 'at least' && limit === 1) return 'must not be empty'
  const plural = singular === 'entry' ? 'entries' : `${singular}s`
  return `must have ${bound} ${limit} ${limit === 1 ? singular : plural}`
}
