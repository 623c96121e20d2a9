import * as rates from '../../functions/smtp-ingress/limits/message-rate-limiter.ts'
import * as refusals from '../../functions/smtp-ingress/protocol/refusals.ts'
import type { Refusal } from '../../functions/smtp-ingress/replies.ts'
import * as replies from '../../functions/smtp-ingress/replies.ts'
import type { Reply } from '../../shared/contract/message.ts'
import { formatReply } from '../../shared/mail/reply.ts'
import { docComments, parseComment } from './doc-comments.ts'
import { code, page, table } from './markdown.ts'

const sample = <T>(make: (value: T) => Refusal | Reply, value: T): [string, Refusal | Reply] => [
  make.name,
  make(value),
]

/** One sample of each reply that depends on a value. */
const samples = [
  sample(replies.tooLarge, 36_700_160),
  sample(replies.headerTooLarge, 262_144),
  sample(replies.messageLineTooLong, 65_536),
  sample(replies.parameterUnknown, 'FUTURE'),
  sample(replies.parameterTooLong, 'ENVID'),
  sample(replies.chunkReceived, 65_536),
  sample(replies.queuedAs, '01KGH3Z9A0V4RRFFQ69G5FAVXX'),
  sample(refusals.controlRefusal, '\r'),
  sample(refusals.syntaxRefusal, 'MAIL FROM:<address>'),
  sample(refusals.invalidParameter, 'Bad message size syntax'),
]

/** The files that define the ingress's replies. */
export const replySources = ['limits/message-rate-limiter.ts', 'protocol/refusals.ts', 'replies.ts']
const comments = new Map(replySources.flatMap((file) => [...docComments(`functions/smtp-ingress/${file}`)]))

interface Documented {
  reply: Reply
  reason: string | null
  when: string
}

const isReply = (value: object): value is Reply => 'code' in value
const isRefused = (value: object): value is Refusal => 'reason' in value

const exported: [string, unknown][] = [...Object.entries({ ...replies, ...refusals, ...rates }), ...samples]

/**
 * The ingress's own replies, sorted by code; without the greeting, HELO, EHLO and 354, and without replies that
 * connectors decide.
 */
export const documentedReplies: readonly Documented[] = exported
  .flatMap(([name, value]): Documented[] => {
    if (typeof value !== 'object' || value === null || value === replies.clientDisconnected) return []
    const when = parseComment(comments.get(name)).text
    if (isRefused(value)) return [{ reply: value.reply, reason: value.reason, when }]
    return isReply(value) ? [{ reply: value, reason: null, when }] : []
  })
  .toSorted((first, second) => formatReply(first.reply).localeCompare(formatReply(second.reply)))

export const repliesPage = (): string =>
  page(
    "The ingress's replies",
    '`functions/smtp-ingress/`',
    'Replies of the ingress itself, by code; the greeting, the replies to HELO and EHLO, and 354 are not listed. [Connectors](../connectors.md) lists the replies that a connector causes. 421 ends the session. *Counted as* is the dimension `reason` of the metric `Refused`, and the reason in the log. Numbers are those of the default settings.',
    table(
      ['Reply', 'Counted as', 'When'],
      documentedReplies.map(({ reply, reason, when }) => [
        code(formatReply(reply)),
        reason === null ? '' : code(reason),
        when,
      ]),
    ),
  )
