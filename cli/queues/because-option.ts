/** The reason that an administrator gives for a request. */
import { UsageError } from '../command-error.ts'

export const becauseOption = {
  because: {
    type: 'string',
    value: 'TEXT',
    description: 'the reason, at most 500 characters; in the trace and in the event, and in no mail',
  },
} as const

/** @throws UsageError */
export function requiredReason(command: string, text: string | undefined): string {
  if (text !== undefined && text.trim() !== '') return text
  throw new UsageError(`${command} needs --because TEXT`)
}
