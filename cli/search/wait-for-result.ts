/** Waits for work that goes on in the gateway. */
import { ApiError } from '../api/api-error.ts'
import type { Io } from '../command.ts'
import { CommandError } from '../command-error.ts'

const firstDelayMs = 250
const delayFactor = 1.5
const maxDelayMs = 3000

/**
 * Reads the state until it is another than Running.
 * @param doing what goes on, for the status line
 * @param goesOn a line that is printed when the command ends before the work
 */
export async function waitForResult<Result extends { state: string }>(
  read: () => Promise<Result>,
  { doing, goesOn }: { readonly doing: string; readonly goesOn: string },
  io: Pick<Io, 'now' | 'sleep' | 'setProgress' | 'printStatus'>,
): Promise<Result> {
  const startedAt = io.now()
  io.setProgress?.(goesOn)
  try {
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * delayFactor, maxDelayMs)) {
      const result = await read()
      if (result.state !== 'Running') return result
      io.printStatus?.(`${doing} for ${Math.round((io.now() - startedAt) / 1000)} s …`)
      await io.sleep(delayMs)
    }
  } catch (error) {
    if (!(error instanceof CommandError) || (error instanceof ApiError && error.status === 404)) throw error
    throw new CommandError(error.message, [...error.lines, goesOn])
  } finally {
    io.printStatus?.(null)
    io.setProgress?.(null)
  }
}
