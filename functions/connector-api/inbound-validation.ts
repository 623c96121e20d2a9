/**
 * Checks an inbound connector against received mail. Each message of the last days whose sender is in the connector's
 * domains is evaluated again, from the facts of its own session. The check ignores all other connectors, and treats
 * this connector as enabled and enforced. Not covered: messages that were refused in session, because they are not
 * stored.
 */
import { decodeTime } from 'ulid'
import * as z from 'zod'
import type { InboundConnector } from '../../shared/connectors/schema.ts'
import { dayMs } from '../../shared/contract/durations.ts'
import type { Message } from '../../shared/contract/message.ts'
import { domainOf } from '../../shared/mail/address.ts'
import type { History, HistoryPosition, IndexRow } from '../../shared/messages/history.ts'
import { recipientOf } from '../../shared/messages/message-keys.ts'
import { sessionOf } from '../../shared/policy/evaluate.ts'
import { consideredInbound } from '../../shared/policy/explain/considered-inbound.ts'
import { appliesTo, evaluateInbound } from '../../shared/policy/inbound.ts'
import { bestPattern } from '../../shared/policy/order.ts'
import { compileSnapshot } from '../../shared/policy/snapshot.ts'
import { type FailingMessages, type FailureReason, summaryOf } from './inbound-summary.ts'

const FailingGroup = z.strictObject({
  reason: z.string().describe('the first requirement that the messages do not meet'),
  count: z.int().positive(),
  explanation: z.string().describe('explanation for the latest message'),
  latest: z.iso.datetime(),
  messages: z.array(z.string()).max(5).describe('ids, newest first'),
})

export const InboundValidation = z.strictObject({
  connector: z.ulid(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  messages: z.int().nonnegative().describe('number of messages from senderDomains, each counted once'),
  passing: z.int().nonnegative().describe('number that the connector would accept'),
  failing: z.array(FailingGroup).describe('most frequent first'),
  complete: z.boolean().describe('false when the search ran out of time before it covered all days'),
  summary: z.string().describe('a sentence for the administrator'),
})
export type InboundValidation = z.output<typeof InboundValidation>

export interface Dependencies {
  history: Pick<History, 'find' | 'messages'>
  /** Milliseconds since the epoch. */
  now: () => number
}

/** Below the function's timeout, so that the step under way can end and a response is sent. */
const maxSearchMs = 9_000
const messagesPerStep = 500
const maxExamples = 5

/** @param days number of days before now, 1–30 */
export async function validateInbound(
  connector: InboundConnector,
  acceptedDomains: ReadonlySet<string>,
  days: number,
  { history, now }: Dependencies,
): Promise<InboundValidation> {
  const until = new Date(now())
  const span = { since: new Date(until.getTime() - days * dayMs), until }
  const search = { ...span, matches: appliesToRow(connector) }
  const check = createCheck(connector, acceptedDomains)
  const tally = new Tally()
  let next: HistoryPosition | null = null
  do {
    const step = await history.find(search, next, messagesPerStep)
    const messages = await history.messages(step.messages.map(({ id }) => id))
    for (const message of messages.sort(newestFirst))
      if (message.source !== null) tally.add(message, check(message, message.source.ip))
    next = step.next
  } while (next !== null && now() - until.getTime() < maxSearchMs)
  const counts = { messages: tally.messages, passing: tally.passing, failing: tally.failing() }
  const searchedBackTo = next === null ? null : new Date(decodeTime(next.before)).toISOString()
  return {
    connector: connector.id,
    from: span.since.toISOString(),
    to: until.toISOString(),
    messages: counts.messages,
    passing: counts.passing,
    failing: counts.failing.map(({ ip: _ip, ...failing }) => failing),
    complete: next === null,
    summary: summaryOf(connector, days, searchedBackTo, counts),
  }
}

/** Whether the recipient of the row is in the connector's scope, and the sender in its domains. */
const appliesToRow =
  (connector: InboundConnector) =>
  (row: IndexRow): boolean =>
    bestPattern(connector.senderDomains, domainOf(row.sender)) !== null &&
    appliesTo(connector, domainOf(recipientOf(row)))

const newestFirst = (one: Message, other: Message): number => (one.id < other.id ? 1 : -1)

/** Returns the violation of a message, or null when it passes. */
type CheckMessage = (message: Message, ip: string) => { reason: FailureReason; explanation: string } | null

function createCheck(connector: InboundConnector, acceptedDomains: ReadonlySet<string>): CheckMessage {
  const enforced = { ...connector, enabled: true, mode: 'Enforce' as const }
  const snapshot = compileSnapshot({
    version: 0,
    inbound: [enforced],
    outbound: [],
    acceptedDomains: [...acceptedDomains].map((domain) => ({ domain })),
  })
  return (message, ip) => {
    const session = sessionOf(message, ip)
    const evaluation = evaluateInbound(snapshot, session)
    if (evaluation.violation) return evaluation.violation
    if (connector.connectorType === 'Partner' || evaluation.attributedTo) return null
    const [considered] = consideredInbound(snapshot, session, evaluation, 1)
    return {
      reason: 'NotIdentified',
      explanation: considered?.why ?? 'The connector does not identify the client.',
    }
  }
}

/** Counts passing and failing messages, which are added newest first. */
class Tally {
  messages = 0
  passing = 0
  readonly #failing = new Map<FailureReason, FailingMessages>()

  add({ id, receivedAt, source }: Message, fault: ReturnType<CheckMessage>): void {
    this.messages++
    if (fault === null) {
      this.passing++
      return
    }
    const { reason, explanation } = fault
    const group = this.#failing.get(reason)
    if (group) {
      group.count++
      if (group.messages.length < maxExamples) group.messages.push(id)
    } else {
      const first = {
        reason,
        count: 1,
        explanation,
        latest: receivedAt,
        messages: [id],
        ip: source?.ip ?? '',
      }
      this.#failing.set(reason, first)
    }
  }

  failing(): FailingMessages[] {
    return [...this.#failing.values()].sort((one, other) => other.count - one.count)
  }
}
