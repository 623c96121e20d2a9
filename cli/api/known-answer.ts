/** Answers of the API that are shown in words: what these lack would be left out unseen. */
import type { z } from 'zod'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import { Fault } from '../faults.ts'

/**
 * @param what the answer is, for messages
 * @throws Fault naming what is not as it should be
 */
export function knownAnswer<T extends z.ZodType>(schema: T, answer: unknown, what: string): z.output<T> {
  const parsed = schema.safeParse(answer)
  if (parsed.success) return parsed.data
  throw new Fault(`the ${what} is not one that this mailflow knows`, [
    ...faultsOf(parsed.error).slice(0, 5).map(faultText),
    '--json shows it as it is.',
  ])
}
