/** Asks before an act that cannot be undone. */
import type { Io } from '../command.ts'
import { CommandError } from '../command-error.ts'

export const yesOption = {
  yes: { type: 'boolean', description: 'act without a question; required without a terminal' },
} as const

/**
 * @param question such as `Remove 1 entry (Contoso)`
 * @throws CommandError when the user does not agree, or there is no terminal
 */
export async function confirm(question: string, io: Io): Promise<void> {
  if (io.prompt === undefined)
    throw new CommandError(`${question}? Without a terminal, give --yes. Nothing was written`)
  const answer = (await io.prompt(`${question}? Type yes: `)).trim()
  if (answer.toLowerCase() !== 'yes') throw new CommandError(`"${answer}" is not yes. Nothing was written`)
}
