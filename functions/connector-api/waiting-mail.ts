/**
 * An administrator's requests for waiting mail: decide now, release it despite the violation of an inbound connector,
 * return it to its sender, or drop it. This module decides nothing. It sends an event, records the request in the trace,
 * and sends a job to evaluate-policy, like the delayed job that arrives when the backoff ends. deliver-message claims
 * each attempt by its number. So a repeated request or an old trace does no harm: a settled recipient stays settled, and
 * an attempt under way is not repeated. The delayed job that arrives later finds its attempt claimed. No request lowers
 * what an outbound connector requires.
 */
import type { MailRequestKind } from '../../shared/contract/events.ts'
import { type EvaluationJob, splitForJobs } from '../../shared/contract/jobs.ts'
import { isCanary, type Message, type Recipient } from '../../shared/contract/message.ts'
import type { EventQueue } from '../../shared/events/event-queue.ts'
import { type RequestFacts, requestedEvent } from '../../shared/events/mail-events.ts'
import type { History, MessageWithRecipients } from '../../shared/messages/history.ts'
import type { RecipientState, RequestAttribute } from '../../shared/messages/recipient-item.ts'
import type { Trace } from '../../shared/messages/trace.ts'
import { isViolationReason } from '../../shared/policy/reasons.ts'
import type { JobSender, OutgoingJob } from '../../shared/queues/job-queue.ts'

export interface Dependencies {
  history: Pick<History, 'find' | 'messageWithRecipients'>
  trace: Pick<Trace, 'recordRequest'>
  evaluation: JobSender<EvaluationJob>
  events: Pick<EventQueue, 'send'>
  /** Milliseconds since the epoch. */
  now: () => number
}

export type TracedRecipient = MessageWithRecipients['recipients'][number]

/** `Release` and `Drop` have a reason. */
export type MailRequest = RequestFacts

/** The attribute that tells the next decision of the request; null when it needs none. */
const attributeOf: Record<MailRequestKind, RequestAttribute | null> = {
  Retry: null,
  Release: 'waived',
  Return: 'returned',
  Drop: 'dropped',
}

/** Only a recipient that an inbound connector holds can be released. */
const canApply = ({ kind }: MailRequest, { reason }: TracedRecipient): boolean =>
  kind !== 'Release' || isViolationReason(reason)

export type MessageResult =
  /** `recipients`: addresses to which the request applies. */
  | { kind: 'Requested'; recipients: string[] }
  /** The request applies to no recipient; `states` holds the state of each recipient. */
  | { kind: 'NotApplicable'; why: string; states: { address: string; state: RecipientState }[] }

/** @returns null when there is no such message */
export async function requestForMessage(
  id: string,
  request: MailRequest,
  dependencies: Dependencies,
): Promise<MessageResult | null> {
  const tracedMessage = await dependencies.history.messageWithRecipients(id)
  if (!tracedMessage) return null
  const [recipients = []] = await requestForRecipients([tracedMessage], request, isDeferred, dependencies)
  return recipients.length > 0
    ? { kind: 'Requested', recipients: recipients.map(({ address }) => address) }
    : {
        kind: 'NotApplicable',
        why: whyNotApplicable(request, tracedMessage),
        states: statesOf(tracedMessage),
      }
}

export const isDeferred = ({ state }: TracedRecipient): boolean => state === 'Deferred'

const statesOf = ({ recipients }: MessageWithRecipients) =>
  recipients.map(({ recipient, state }) => ({ address: recipient.address, state }))

/** A sentence for the administrator: why a request applies to no recipient of a message. */
export function whyNotApplicable({ kind }: MailRequest, message: MessageWithRecipients | null): string {
  if (message === null) return 'There is no such message.'
  if (message.recipients.length === 0) return 'The message is not evaluated yet.'
  if (kind === 'Release' && message.recipients.some(isDeferred))
    return 'No inbound connector holds it, so there is nothing to release. What an outbound connector requires is not released; retry applies the current connectors.'
  return `No recipient is deferred, so there is nothing to ${kind.toLowerCase()}.`
}

/**
 * Requests the decision about the selected recipients to which the request applies. The events are sent first: a
 * request that has an effect has an event. A recipient that is settled meanwhile may have one too.
 * @returns for each message the recipients for which the request was recorded
 */
export async function requestForRecipients(
  messages: readonly MessageWithRecipients[],
  request: MailRequest,
  isSelected: (recipient: TracedRecipient, message: Message) => boolean,
  { trace, evaluation, events, now }: Dependencies,
): Promise<Recipient[][]> {
  const applicable = messages.map(({ message, recipients }) => ({
    message,
    recipients: recipients.filter((each) => isSelected(each, message) && canApply(request, each)),
  }))
  if (applicable.every(({ recipients }) => recipients.length === 0)) return messages.map(() => [])
  // No event is of a canary.
  await events.send(
    applicable.flatMap(({ message, recipients }) =>
      recipients
        .filter(({ recipient }) => !isCanary(message, recipient))
        .map(({ recipient, connectors }) => requestedEvent(message, recipient.address, connectors, request)),
    ),
  )
  const recorded = await Promise.all(applicable.map((each) => record(each, request, trace)))
  const at = new Date(now()).toISOString()
  await evaluation.send(
    messages.flatMap(({ message }, index) => decisionJobs(message, recorded[index] ?? [], at)),
  )
  return recorded.map((each) => each.map(({ recipient }) => recipient))
}

async function record(
  { message, recipients }: MessageWithRecipients,
  { kind, ...request }: MailRequest,
  trace: Dependencies['trace'],
): Promise<TracedRecipient[]> {
  const attribute = attributeOf[kind]
  const recorded = await Promise.all(
    recipients.map(async (each) => {
      const { recipient } = each
      const recordedRequest = kind === 'Release' ? { ...request, connectors: waivedBy(each) } : request
      return attribute === null ||
        (await trace.recordRequest(message.id, recipient.address, attribute, recordedRequest))
        ? [each]
        : []
    }),
  )
  return recorded.flat()
}

/** The connector that holds the recipient, and those of earlier releases. */
const waivedBy = ({ connectors: { inbound }, waivedConnectors }: TracedRecipient): string[] => [
  ...new Set([...waivedConnectors, ...(inbound === null ? [] : [inbound])]),
]

/** An attempt that was not decided is reported again, because its own report may be lost with its queue. */
function decisionJobs(
  message: Message,
  waiting: readonly TracedRecipient[],
  notBefore: string,
): OutgoingJob<EvaluationJob>[] {
  const retried = waiting.flatMap((each) => (each.undecidedAttempt === null ? [each.recipient] : []))
  const reported = waiting.flatMap(({ recipient, undecidedAttempt: lastAttempt }) =>
    lastAttempt === null ? [] : [{ ...recipient, attempts: lastAttempt.number, lastAttempt }],
  )
  return [
    ...splitForJobs(retried).map((recipients) => ({ job: { message, recipients, notBefore, retry: true } })),
    ...splitForJobs(reported).map((recipients) => ({ job: { message, recipients, notBefore: null } })),
  ]
}
