/**
 * Predicts what would happen to a message, and why: replies in session, verdicts, connectors considered. Nothing is
 * sent or stored. The trace of a real message uses the same functions.
 */
import type { Route, TlsRequirement } from '../../contract/jobs.ts'
import { type Message, plainEnvelope, type Reply, type TlsFacts, untried } from '../../contract/message.ts'
import { domainOf } from '../../mail/address.ts'
import { reply } from '../../mail/reply.ts'
import { admit } from '../admit.ts'
import { evaluate, judgeMessage, type Settings, sessionOf, type Verdict } from '../evaluate.ts'
import type { InboundJudgement } from '../inbound.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Considered } from './considered.ts'
import { consideredInbound } from './considered-inbound.ts'
import { consideredOutbound } from './considered-outbound.ts'

/** A hypothetical message. */
export interface Question {
  /** Empty for the null reverse path. */
  mailFrom: string
  rcptTo: readonly string[]
  ip: string
  tls: TlsFacts
}

export interface Explanation {
  /** The inbound connectors, in order of precedence. */
  considered: Considered[]
  recipients: RecipientExplanation[]
}

export interface RecipientExplanation {
  address: string
  /** The reply to RCPT TO. */
  inSession: Reply
  verdict: Verdict
  /** Null unless the verdict is `Deliver`. */
  route: Route | null
  tls: TlsRequirement | null
  /** The outbound connectors, in order of precedence. */
  considered: Considered[]
}

/** Connectors listed in an answer, and in the trace of each recipient. */
const maxConnectorsInAnswer = 100
const maxConnectorsInTrace = 10
/** Connectors in one answer, over all recipients: a Lambda function's response is at most 6 MB. */
const maxConnectorsInResponse = 1000

export function explain(snapshot: Snapshot, settings: Settings, question: Question, now: Date): Explanation {
  const message = hypothetical(question, now)
  const judgement = judgeMessage(snapshot, message)
  const recipients = question.rcptTo.map(untried)
  const verdicts = evaluate({ snapshot, settings, message, recipients, now })
  const maxOutbound = Math.min(maxConnectorsInAnswer, Math.floor(maxConnectorsInResponse / recipients.length))
  return {
    considered: inboundOf(snapshot, message, judgement, maxConnectorsInAnswer),
    recipients: verdicts.map((verdict) => {
      const { address } = verdict.recipient
      const leaves = verdict.action === 'Deliver'
      return {
        address,
        inSession: answerTo(snapshot, judgement, address),
        verdict,
        route: leaves ? verdict.route : null,
        tls: leaves ? verdict.tls : null,
        considered: outboundOf(snapshot, verdict, maxOutbound),
      }
    }),
  }
}

type Explained = Pick<Verdict, 'recipient' | 'reason'>

/** Explains the verdicts of one message: for each recipient the connectors considered, inbound ones first. */
export function explainer(snapshot: Snapshot, message: Message): (verdict: Explained) => Considered[] {
  const inbound = inboundOf(snapshot, message, judgeMessage(snapshot, message), maxConnectorsInTrace)
  return (verdict) => [...inbound, ...outboundOf(snapshot, verdict, maxConnectorsInTrace)]
}

function inboundOf(
  snapshot: Snapshot,
  message: Message,
  judgement: InboundJudgement,
  maxConnectors: number,
): Considered[] {
  if (message.source === null) return []
  return consideredInbound(snapshot, sessionOf(message, message.source.ip), judgement, maxConnectors)
}

/** A report that mailflow stores uses no outbound connector. */
function outboundOf(
  snapshot: Snapshot,
  { recipient, reason }: Explained,
  maxConnectors: number,
): Considered[] {
  const domain = reason === 'TlsReport' ? null : domainOf(recipient.address)
  return domain === null ? [] : consideredOutbound(snapshot, domain, maxConnectors)
}

/** The ingress's reply to an accepted RCPT TO. */
const accepted = reply(250, '1.5', 'Accepted')

function answerTo(snapshot: Snapshot, judgement: InboundJudgement, address: string): Reply {
  const admission = admit(snapshot, judgement, address)
  return admission.action === 'Refuse' ? admission.reply : accepted
}

function hypothetical({ mailFrom, ip, tls }: Question, now: Date): Message {
  return {
    id: '00000000000000000000000000',
    receivedAt: now.toISOString(),
    source: { ip, port: 0, helo: '' },
    direction: 'Incoming',
    attributedTo: null,
    tls,
    envelope: plainEnvelope(mailFrom),
    size: 0,
    content: { bucket: '', key: '', offset: 0, length: 0, sha256: '0'.repeat(64) },
  }
}
