/** Checks API responses before they are printed as text, so that a missing field is an error. */
import type { z } from 'zod'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import { Fault } from '../faults.ts'

/**
 * @param what names the response in messages
 * @throws Fault naming each field that is wrong
 */
export function knownAnswer<T extends z.ZodType>(schema: T, answer: unknown, what: string): z.output<T> {
  const parsed = schema.safeParse(answer)
  if (parsed.success) return parsed.data
  throw new Fault(`cannot read the ${what} from the API: it differs from what this version expects`, [
    ...faultsOf(parsed.error).slice(0, 5).map(faultText),
    'Use --json to print the response unchanged.',
  ])
}
