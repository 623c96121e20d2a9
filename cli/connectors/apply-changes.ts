/** Writes the changes of a plan one after another. Each write replaces only the version that the plan was made from. */
import * as z from 'zod'
import { countText } from '../../shared/policy/text-lists.ts'
import type { ApiClient } from '../api/api-client.ts'
import { encodeUrlPart } from '../api/api-client.ts'
import { ApiError } from '../api/api-error.ts'
import type { Io } from '../command.ts'
import { CommandError } from '../command-error.ts'
import { acceptedDomains } from './entry-kinds.ts'
import { type Change, inOrderOfWriting } from './plan-changes.ts'
import type { CurrentEntry } from './read-current-configuration.ts'
import { ConnectorResponse, requestForConnector } from './request-for-mail.ts'
import type { WaitingChoice } from './waiting-mail.ts'

/** The mail that a change of a connector returned. */
export interface WaitingResult {
  readonly connector: string
  readonly requested: number
  readonly messages: number
}

/**
 * Ignores the warnings in responses: they concern intermediate states. configuration-warnings.ts checks the result.
 * @param choices what to do with the mail that waits under a lowered connector
 * @returns the returned mail
 * @throws CommandError that names the failed change and counts the changes written before it
 */
export async function applyChanges(
  api: ApiClient,
  changes: readonly Change[],
  choices: ReadonlyMap<Change, WaitingChoice>,
  io: Pick<Io, 'setProgress'>,
): Promise<WaitingResult[]> {
  const results: WaitingResult[] = []
  const writes = inOrderOfWriting(changes)
  for (const [writtenCount, change] of writes.entries()) {
    io.setProgress?.(
      `${countText(writtenCount, 'change')} of ${writes.length} written, perhaps one more; the same command writes the rest`,
    )
    try {
      results.push(...(await write(api, change, choices.get(change))))
    } catch (error) {
      throw applyError(error, change, writtenCount, writes.length)
    }
  }
  io.setProgress?.(null)
  return results
}

const WriteResponse = z.object({ waiting: ConnectorResponse.optional() })
const DeleteResponse = ConnectorResponse.optional()

async function write(
  api: ApiClient,
  change: Change,
  waiting: WaitingChoice | undefined,
): Promise<WaitingResult[]> {
  switch (change.kind) {
    case 'Create': {
      const { entryKind, desired } = change
      if (entryKind === acceptedDomains)
        await api.put(z.unknown(), `${entryKind.path}/${encodeUrlPart(desired.key)}`, desired.fields)
      else await api.post(z.unknown(), entryKind.path, desired.fields)
      return []
    }
    case 'Replace': {
      const { current, desired } = change
      const response = await api.put(WriteResponse, current.path, desired.fields, current.version, {
        waiting,
      })
      return continueRequest(api, current, waiting, response.waiting)
    }
    case 'Remove': {
      const { current } = change
      const response = await api.delete(DeleteResponse, current.path, current.version, { waiting })
      return continueRequest(api, current, waiting, response)
    }
    default:
      return []
  }
}

/** The write requests as much as its time allows. */
async function continueRequest(
  api: ApiClient,
  { path, label }: CurrentEntry,
  choice: WaitingChoice | undefined,
  first: z.output<typeof ConnectorResponse> | undefined,
): Promise<WaitingResult[]> {
  if (first === undefined || choice !== 'return') return []
  const total = await requestForConnector(api, 'return', path, first)
  return [{ connector: label, ...total }]
}

export const labelOf = (change: Change): string =>
  'desired' in change ? change.desired.label : change.current.label

/**
 * Statuses that show a concurrent change: 404, the entry is missing; 409, the name is taken; 412, the entry has another
 * version (RFC 9110 §13.1.1); 428, the entry to create exists already (RFC 6585 §3).
 */
const conflictStatuses = new Set([404, 409, 412, 428])

function applyError(error: unknown, change: Change, writtenCount: number, total: number): unknown {
  if (!(error instanceof CommandError)) return error
  const title = `${change.entryKind.singular} "${labelOf(change)}"`
  const isConflict = error instanceof ApiError && conflictStatuses.has(error.status)
  const progress = `Written before this error: ${countText(writtenCount, 'change')} of ${total}. ${isConflict ? 'Check the current configuration, then apply again.' : 'Apply again to write the rest.'}`
  return new CommandError(
    isConflict ? `${title}: another client changed it in the meantime` : `${title}: ${error.message}`,
    isConflict ? [error.message, ...error.lines, progress] : [...error.lines, progress],
  )
}
