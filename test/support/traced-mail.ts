/** Writes messages with their recipients to the trace, as the units write them. */
import { encodeTime } from 'ulid'
import type { Attempt, Message } from '../../shared/contract/message.ts'
import { Trace } from '../../shared/messages/trace.ts'
import { relayDeniedReply } from '../../shared/policy/admit-recipient.ts'
import type { Verdict } from '../../shared/policy/evaluate.ts'
import type { TestDynamoDb } from './dynamodb.ts'
import { attempt, circumstances, message, recipient } from './fixtures.ts'

/** Seconds since the epoch, later than the times of all tests. */
const expiresAt = 4_000_000_000

export interface TracedMailRecipient {
  verdict?: Partial<Verdict>
  /** The attempts in order; the recipient is delivered if the last one is. */
  attempts?: Partial<Attempt>[]
}

/** @param n distinguishes messages of one millisecond */
export async function traceMail(
  { documents, messagesTable }: TestDynamoDb,
  time: string,
  n: number,
  fields: Parameters<typeof message>[0],
  recipients: Readonly<Record<string, TracedMailRecipient>>,
): Promise<Message> {
  const trace = new Trace(documents, messagesTable)
  const id = `${encodeTime(Date.parse(time), 10)}${String(n).padStart(16, '0')}`
  const received = message({ ...fields, id, receivedAt: new Date(time).toISOString() })
  await trace.recordMessage(received, circumstances.at, 90, Object.keys(recipients).length)
  for (const [address, { verdict = {}, attempts = [] }] of Object.entries(recipients)) {
    await trace.recordVerdict(received, verdictFor(address, verdict), circumstances, expiresAt)
    for (const [index, result] of attempts.entries()) {
      const each = attempt({ number: index + 1, ...result })
      if (each.outcome === 'Delivered') await trace.recordDelivered(id, address, each, expiresAt)
      else await trace.recordAttempt(id, address, each, expiresAt)
    }
  }
  return received
}

const verdictFor = (address: string, fields: Partial<Verdict>): Verdict =>
  ({
    action: 'Deliver',
    recipient: recipient({ address }),
    reason: 'ConnectorMatched',
    explanation: 'A connector takes it.',
    connectors: { inbound: null, outbound: null },
    decidedBy: null,
    lowered: [],
    newRequirement: null,
    reportOnly: null,
    reply: relayDeniedReply,
    until: circumstances.at,
    expiresAt: circumstances.at,
    notifyDelay: false,
    ...fields,
  }) as Verdict
