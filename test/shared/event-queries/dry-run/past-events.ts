/** The events of mail, as the functions write them, and the facts that a dry run reads from them. */
import assert from 'node:assert/strict'
import { RejectionAggregator } from '../../../../functions/smtp-ingress/rejections/rejection-aggregator.ts'
import { rejectionOf } from '../../../../functions/smtp-ingress/session-policy/session-recorder.ts'
import { MailEvent } from '../../../../shared/contract/events.ts'
import type { AttemptContext } from '../../../../shared/contract/jobs.ts'
import type { Attempt, Message } from '../../../../shared/contract/message.ts'
import { type MailFacts, pastMailOf } from '../../../../shared/event-queries/dry-run/mail-facts.ts'
import { createRejectedEvent } from '../../../../shared/events/create-event.ts'
import { acceptedEvent, attemptEvents, decisionEvent } from '../../../../shared/events/mail-events.ts'

/** What happened to the recipient of an accepted message. */
export interface Happened {
  /** Number of recipients of the message. */
  recipients?: number
  attempt?: { attempt: Attempt; context: AttemptContext }
}

/** The facts from the events of an accepted message. */
export function factsOfMessage(message: Message, address: string, happened: Happened = {}): MailFacts {
  const decision = {
    action: 'Deliver' as const,
    reason: 'ConnectorMatched',
    connectors: { inbound: null, outbound: null },
    at: message.receivedAt,
    connectorsVersion: 1,
    reply: null,
    considered: [],
  }
  const job = { position: '00000#', dueAt: message.receivedAt }
  const events = [
    acceptedEvent(message, happened.recipients ?? 1, null),
    decisionEvent(message, { address, attempts: 0 }, decision, null, job),
    ...(happened.attempt
      ? attemptEvents(message, address, happened.attempt.attempt, happened.attempt.context)
      : []),
  ]
  return withChain(onlyFacts(events), message)
}

type Rejected = Pick<MailEvent, 'stage' | 'reason'> & {
  connector?: string
  recipients?: number
  hasNoRecipient?: true
}

/** The facts from the event of a session that the ingress refused. */
export function factsOfRefusal(message: Message, address: string, rejected: Rejected): MailFacts {
  const { stage = 'Rcpt', reason = 'RelayDenied', connector, recipients, hasNoRecipient } = rejected
  const { source, tls, envelope, exchangeOnline } = message
  const aggregator = new RejectionAggregator()
  const session = { ip: source?.ip ?? '', tls, mailFrom: envelope.mailFrom, clientName: 'client.example' }
  const recorded = {
    stage,
    sender: envelope.mailFrom,
    ...(!hasNoRecipient && { recipient: address }),
    connector,
    recipients,
    exchangeOnline,
  }
  aggregator.add(rejectionOf(session, reason, recorded, new Date(message.receivedAt)))
  const events = aggregator.take().map((fields) => createRejectedEvent('01KF0CVZT0ABCDEFGHJKMNPQRS', fields))
  return withChain(onlyFacts(events), message)
}

/** @param events of one recipient; through JSON, as they are stored */
function onlyFacts(events: readonly MailEvent[]): MailFacts {
  const stored = events.map((event) => MailEvent.parse(JSON.parse(JSON.stringify(event))))
  const [mail, ...others] = pastMailOf(stored)
  assert.deepEqual(others, [])
  return mail?.facts ?? assert.fail('no mail')
}

/** A caller may know the chain, for example from the trace. */
function withChain(facts: MailFacts, { tls }: Message): MailFacts {
  const chain = tls.clientCertificate?.chain ?? []
  return chain.length > 0 ? { ...facts, clientChain: chain } : facts
}
