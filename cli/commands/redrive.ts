/** `redrive`: lists the dead letters, and sends them to their queues again. */
import * as z from 'zod'
import { countText } from '../../shared/policy/text-lists.ts'
import type { ApiClient } from '../api/api-client.ts'
import { parseResponse } from '../api/parse-response.ts'
import { defineCommand, type Io, jsonOption, tableWidth, wideOption } from '../command.ts'
import { type ExitStatus, exitStatus, UsageError } from '../command-error.ts'
import { confirm, yesOption } from '../input/confirm.ts'
import { messageId } from '../input/message-id.ts'
import { parseInstant } from '../input/parse-instant.ts'
import { formatTime, jsonText } from '../text/format.ts'
import { type Column, table } from '../text/table.ts'
import { senderText } from '../trace/session-text.ts'

/** The fields that the command prints. Others are ignored, so that newer gateways work. */
const Letter = z.object({
  queue: z.string(),
  at: z.string(),
  messageId: z.string().nullable(),
  sender: z.string().nullable(),
  recipients: z.array(z.string()),
  recipientCount: z.int(),
  reason: z.string(),
  readable: z.boolean(),
})
type Letter = z.output<typeof Letter>

const LetterList = z.object({ items: z.array(z.unknown()), truncated: z.boolean(), to: z.string() })

const RedriveResponse = z.object({
  redriven: z.int(),
  notDeleted: z.int(),
  failed: z.int(),
  skipped: z.int(),
  truncated: z.boolean(),
})
type RedriveResponse = z.output<typeof RedriveResponse>

const queues = [
  'Evaluation',
  'Authentication',
  'Delivery',
  'UnprovenDelivery',
  'LowPriorityDelivery',
  'Bounce',
]

const defaultLimit = 100
const maxLimit = 1000

export const redrive = defineCommand({
  usesApi: true,
  options: {
    queue: {
      type: 'string',
      value: 'QUEUE',
      description: queues.join(', '),
    },
    reason: {
      type: 'string',
      value: 'TEXT',
      description: 'only reasons that contain TEXT, in any letter case',
    },
    message: { type: 'string', value: 'ID', description: 'only jobs of this message' },
    'older-than': { type: 'string', value: 'TIME', description: 'only jobs sent before TIME' },
    limit: {
      type: 'string',
      value: 'N',
      description: `at most N dead letters, up to ${maxLimit} (default: list ${defaultLimit}, send all)`,
    },
    send: { type: 'boolean', description: 'send the dead letters to their source queues again; asks first' },
    force: { type: 'boolean', description: 'also send dead letters that the gateway cannot read' },
    ...yesOption,
    ...wideOption,
    ...jsonOption,
  },
  details: `
TIME is ISO 8601 (2026-02-03, 2026-02-03T11:00:00Z), or a duration before now: 30m, 2h, 3d.

A dead letter is a job that failed a thousand times, or that the gateway cannot read. Its mail waits, and its sender is
not notified. Remove the cause first. After --send the mail is evaluated, delivered or returned, as the job requests.
What is recorded as done is not repeated: no message is delivered again, and no DSN is sent again.

A job that the gateway cannot read stays, because it would soon be a dead letter again; --force sends it. A list
lacks dead letters that another command reads at that moment.
`,
  async run({ values, io, api }) {
    if (values.force && !values.send) throw new UsageError('--force has no effect without --send')
    const filter = filterOf(values, io.now())
    const limit = parseLimit(values.limit)
    const list = await api.get(LetterList, '/dead-letters', { ...filter, limit: limit ?? defaultLimit })
    const letters = list.items.map((item) => parseResponse(Letter, item, 'dead letter'))
    if (!values.json)
      io.out(letters.length === 0 ? 'No dead letters found.\n' : listText(letters, values, io))
    else if (!values.send) io.out(jsonText(list.items))
    if (list.truncated && !values.send) io.err('There may be more dead letters: use --limit N.\n')
    if (!values.send || (letters.length === 0 && !list.truncated && !values.json)) return exitStatus.ok
    const permitted = letters.filter(({ readable }) => readable || values.force)
    if (!values.yes && (permitted.length > 0 || list.truncated))
      await confirm(questionText(permitted.length, list.truncated, limit), io)
    const request = { ...filter, to: list.to, force: values.force }
    return report(await sendAll(api, request, limit, io), values.json, io)
  },
})

interface Filter {
  readonly queue: string | undefined
  readonly reason: string | undefined
  readonly messageId: string | undefined
  readonly to: string | undefined
}

function filterOf(
  values: Readonly<Record<'queue' | 'reason' | 'message' | 'older-than', string | undefined>>,
  now: number,
): Filter {
  const { queue, reason, message, 'older-than': time } = values
  return {
    queue: queue === undefined ? undefined : parseQueue(queue),
    reason,
    messageId: message === undefined ? undefined : messageId(message),
    to: time === undefined ? undefined : parseInstant('--older-than', time, now),
  }
}

function parseQueue(text: string): string {
  const queue = queues.find((name) => name.toLowerCase() === text.toLowerCase())
  if (queue !== undefined) return queue
  throw new UsageError(`--queue ${text}: not a queue; the queues are ${queues.join(', ')}`)
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= maxLimit) return Number(text)
  throw new UsageError(`--limit ${text}: not a number from 1 to ${maxLimit}`)
}

const columns: readonly Column[] = [
  { heading: 'Sent' },
  { heading: 'Queue' },
  { heading: 'Message' },
  { heading: 'Readable' },
  { heading: 'From', minWidth: 30 },
  { heading: 'To', minWidth: 30 },
  { heading: 'Reason', minWidth: 76 },
]

function listText(letters: readonly Letter[], values: { wide: boolean }, io: Io): string {
  const rows = letters.map((letter) => [
    formatTime(letter.at),
    letter.queue,
    letter.messageId ?? '–',
    letter.readable ? 'yes' : 'no',
    letter.sender === null ? '–' : senderText(letter.sender),
    recipientsText(letter),
    letter.reason,
  ])
  return `${table(columns, rows, tableWidth(values, io))}\n`
}

function recipientsText({ recipients, recipientCount }: Letter): string {
  const more = recipientCount - recipients.length
  return `${recipients.join(', ') || '–'}${more > 0 ? ` and ${more} more` : ''}`
}

function questionText(count: number, isTruncated: boolean, limit: number | undefined): string {
  const letters = !isTruncated
    ? countText(count, 'dead letter')
    : limit === undefined
      ? `${count} or more dead letters`
      : `at most ${countText(limit, 'dead letter')}`
  return `Send ${letters} to the source queues, so that the mail is evaluated, delivered or returned now`
}

/**
 * Repeats the request, because one request takes as many dead letters as its time allows. Jobs that fail again
 * meanwhile are newer than `to`, so the repetition ends.
 */
async function sendAll(
  api: ApiClient,
  request: object,
  limit: number | undefined,
  io: Io,
): Promise<RedriveResponse> {
  const total = { redriven: 0, notDeleted: 0, failed: 0, skipped: 0, truncated: true }
  for (;;) {
    const remaining = (limit ?? Number.POSITIVE_INFINITY) - total.redriven
    const body = { ...request, limit: Math.min(remaining, maxLimit) }
    const response = await api.post(RedriveResponse, '/dead-letters/redrive', body)
    total.redriven += response.redriven
    total.notDeleted += response.notDeleted
    // The next request finds these letters again.
    total.failed = response.failed
    total.skipped = response.skipped
    total.truncated = response.truncated
    io.setProgress?.(`${countText(total.redriven, 'dead letter')} sent`)
    const isProgressing = response.redriven > response.notDeleted
    if (!response.truncated || !isProgressing || total.redriven === limit) break
  }
  io.setProgress?.(null)
  return total
}

function report(total: RedriveResponse, json: boolean, io: Io): ExitStatus {
  const { redriven, notDeleted, failed, skipped, truncated } = total
  io.out(json ? jsonText(total) : `Sent ${countText(redriven, 'dead letter')} to the source queues.\n`)
  const notes = [
    [skipped, 'cannot be read and stayed; --force sends them too'],
    [failed, 'could not be sent and stayed; the log of connector-api has the reason'],
    [notDeleted, 'could not be deleted after sending; to send them again does no harm'],
  ] as const
  for (const [count, text] of notes) if (count > 0) io.err(`${countText(count, 'dead letter')} ${text}.\n`)
  if (truncated) io.err('There may be more dead letters: repeat the command.\n')
  return failed + notDeleted > 0 ? exitStatus.failure : exitStatus.ok
}
