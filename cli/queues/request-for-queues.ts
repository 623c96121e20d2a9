/** Requests an act on mail that waits: of messages by their ids, or of all mail that matches the options. */
import * as z from 'zod'
import { countText } from '../../shared/policy/text-lists.ts'
import type { ApiClient } from '../api/api-client.ts'
import { type CommandInvocation, type Io, jsonOption } from '../command.ts'
import { type ExitStatus, exitStatus, UsageError } from '../command-error.ts'
import { confirm, yesOption } from '../input/confirm.ts'
import { messageId } from '../input/message-id.ts'
import { jsonText, printable } from '../text/format.ts'
import { becauseOption, requiredReason } from './because-option.ts'
import { filterOptions, type QueueFilter, readFilter } from './queue-filter.ts'
import { readQueues } from './read-queues.ts'

export type QueueAct = 'retry' | 'release' | 'return' | 'drop'

/** The API takes as many. */
const maxIds = 1000

export const idsUsage = { usage: '[ID …]', minCount: 0, maxCount: maxIds } as const

export const actOptions = { ...filterOptions, ...becauseOption, ...yesOption, ...jsonOption } as const

type ActInvocation = CommandInvocation<typeof actOptions>

/** Beginnings of questions; null for acts that do no harm. */
const questions: Readonly<Record<QueueAct, string | null>> = {
  retry: null,
  release: 'Deliver, despite the violation, ',
  return: 'Bounce ',
  drop: 'Bounce, without a DSN, ',
}

type Target = { readonly ids: readonly string[] } | { readonly filter: QueueFilter }

export async function requestForQueues(
  act: QueueAct,
  { values, positionals, io, api }: ActInvocation,
): Promise<ExitStatus> {
  const reason =
    act === 'release' || act === 'drop' ? requiredReason(`queues ${act}`, values.because) : values.because
  const target = await readTarget(act, values, positionals, api)
  const question = questions[act]
  if (question !== null && !values.yes) await confirmRequest(question, target, { api, io })
  const result = await sendAll(api, act, { ...target, ...(reason !== undefined && { reason }) }, io)
  io.out(values.json ? jsonText(result) : `${resultText(act, result)}\n`)
  for (const { id, why } of result.skipped) io.err(`${printable(id)}: ${printable(why)}\n`)
  return exitStatus.ok
}

/** @throws UsageError unless there are either ids or a filter */
async function readTarget(
  act: QueueAct,
  values: ActInvocation['values'],
  positionals: readonly string[],
  api: ApiClient,
): Promise<Target> {
  const filter = await readFilter(values, api)
  const hasFilter = Object.keys(filter).length > 0
  if (positionals.length > 0 && !hasFilter) return { ids: positionals.map(messageId) }
  if (positionals.length === 0 && hasFilter) return { filter }
  throw new UsageError(
    `queues ${act} needs either message ids, or --partner, --reason, --connector or --direction`,
  )
}

/** Asks before more than one message is concerned. */
async function confirmRequest(
  question: string,
  target: Target,
  { api, io }: { api: ApiClient; io: Io },
): Promise<void> {
  if ('ids' in target) {
    if (target.ids.length > 1) await confirm(`${question}${countText(target.ids.length, 'message')}`, io)
    return
  }
  const { items, omitted, complete } = await readQueues(api, target.filter)
  const [messages, recipients] = [
    items.reduce((sum, queue) => sum + queue.messages, 0),
    items.reduce((sum, queue) => sum + queue.recipients, 0),
  ]
  const isExact = complete && omitted === 0
  if (messages <= 1 && isExact) return
  const conditions = Object.entries(target.filter).map(([name, value]) => `${name} ${printable(value)}`)
  const count = `${isExact ? '' : 'at least '}${countText(recipients, 'recipient')}`
  await confirm(`${question}the mail of ${count} (${conditions.join(', ')})`, io)
}

const ActResponse = z.object({
  requested: z.int(),
  messages: z.int(),
  nextCursor: z.string().nullable(),
  skipped: z.array(z.object({ id: z.string(), why: z.string() })).default([]),
})
type ActResult = Omit<z.output<typeof ActResponse>, 'nextCursor'>

/** One request covers as many messages as its time allows, so requests repeat until no cursor is left. */
async function sendAll(api: ApiClient, act: QueueAct, body: object, io: Io): Promise<ActResult> {
  const result: ActResult = { requested: 0, messages: 0, skipped: [] }
  let cursor: string | null = null
  do {
    const response: z.output<typeof ActResponse> = await api.post(ActResponse, `/queues/${act}`, body, {
      cursor,
    })
    result.requested += response.requested
    result.messages += response.messages
    result.skipped.push(...response.skipped)
    cursor = response.nextCursor
    io.setProgress?.(resultText(act, result))
  } while (cursor !== null)
  io.setProgress?.(null)
  return result
}

const resultText = (act: QueueAct, { requested, messages }: ActResult): string =>
  requested === 0
    ? `No mail was found to ${act}.`
    : `Requested a ${act} for ${countText(requested, 'recipient')} of ${countText(messages, 'message')}.`
