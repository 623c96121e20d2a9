/** Checks API responses before they are printed as text, so that a missing field is an error. */
import type * as z from 'zod'
import { faultsOf, faultText } from '../../shared/contract/schema-faults.ts'
import { CommandError } from '../command-error.ts'

/**
 * @param responseName the name of the response in messages
 * @throws CommandError naming each field that is wrong
 */
export function parseResponse<T extends z.ZodType>(
  schema: T,
  response: unknown,
  responseName: string,
): z.output<T> {
  const parsed = schema.safeParse(response)
  if (parsed.success) return parsed.data
  throw new CommandError(
    `cannot read the ${responseName} from the API: it differs from the schema of this version`,
    [...faultsOf(parsed.error).slice(0, 5).map(faultText), 'Use --json to print the response unchanged.'],
  )
}
