/**
 * The one place that decides to deliver, defer or bounce, before the first attempt and after each. Pure: the same
 * connectors, facts and time always give the same verdicts.
 */
import type { OutboundConnector } from '../connectors/schema.ts'
import { hourMs } from '../contract/durations.ts'
import type { Route, TlsRequirement } from '../contract/jobs.ts'
import type { Attempt, Message, Recipient, Reply } from '../contract/message.ts'
import { domainOf } from '../mail/address.ts'
import { asPermanent, formatReply, reply } from '../mail/reply.ts'
import { badSender, notRoutable, relayDenied } from './admit.ts'
import {
  type ConnectorViolation,
  type InboundJudgement,
  judgeInbound,
  nobody,
  type Session,
} from './inbound.ts'
import { isToldOf } from './notification.ts'
import { opportunistic, requirementOf, routeOf, selectOutbound } from './outbound.ts'
import type { Reason } from './reasons.ts'
import { mayReturnContent } from './returned-content.ts'
import {
  defaultDelayNotificationHours,
  defaultExpirationHours,
  nextQuarter,
  retryDelayMs,
} from './schedule.ts'
import type { Snapshot } from './snapshot.ts'

export interface Settings {
  /** The route of mail that no outbound connector matches. */
  defaultRoute: 'Mx' | 'Ses'
  /** Age of a deferred message at which its sender gets a delay DSN. Default: 4. */
  delayNotificationHours?: number
  /** Receives others' reports on TLS with us (RFC 8460), in an accepted domain. mailflow stores them. */
  tlsReportAddress?: string | null
}

interface Decided {
  recipient: Recipient
  reason: Reason
  /** A sentence for the administrator. */
  explanation: string
  /** Ids of the connectors that matched. */
  connectors: { inbound: string | null; outbound: string | null }
  /** Name of the connector that decided, for the DSN. */
  decidedBy: string | null
  /** The reason for which a connector in ReportOnly mode would have refused the message. */
  reportOnly: Reason | null
}

export interface Deliver extends Decided {
  action: 'Deliver'
  route: Route
  tls: TlsRequirement
  destination: string
  /** The number of the next attempt. */
  attempt: number
}

export interface Defer extends Decided {
  action: 'Defer'
  until: Date
  expiresAt: Date
  reply: Reply
  /** Whether to send a delay DSN now. */
  notifyDelay: boolean
}

export interface Bounce extends Decided {
  action: 'Bounce'
  reply: Reply
  /** Whether the DSN may return the whole message. */
  mayReturnContent?: boolean
}

export type Verdict = Deliver | Defer | Bounce

export interface Evaluation {
  snapshot: Snapshot
  settings: Settings
  message: Message
  recipients: readonly Recipient[]
  now: Date
  /** An administrator requests the next attempt at once. */
  retry?: boolean | undefined
}

/** One verdict for each recipient, in their order. */
export function evaluate({
  snapshot,
  settings,
  message,
  recipients,
  now,
  retry = false,
}: Evaluation): Verdict[] {
  const inbound = judgeMessage(snapshot, message)
  return recipients.map((recipient) =>
    decide({ snapshot, settings, message, inbound, recipient, now, retry }),
  )
}

/** Evaluates the inbound connectors for a message. None applies to a message that mailflow made, such as a DSN. */
export function judgeMessage(snapshot: Snapshot, message: Message): InboundJudgement {
  return message.source === null ? nobody : judgeInbound(snapshot, sessionOf(message, message.source.ip))
}

export function sessionOf(message: Message, ip: string): Session {
  return { ip, tls: message.tls, mailFrom: message.envelope.mailFrom, at: new Date(message.receivedAt) }
}

interface Case {
  snapshot: Snapshot
  settings: Settings
  message: Message
  inbound: InboundJudgement
  recipient: Recipient
  now: Date
  retry: boolean
}

function decide(input: Case): Verdict {
  const domain = domainOf(input.recipient.address)
  const outbound = domain === null ? null : selectOutbound(input.snapshot, domain)
  const verdict = decideFor(input, domain, outbound)
  return verdict.action === 'Bounce' && mayReturnContent({ ...input, outbound })
    ? { ...verdict, mayReturnContent: true }
    : verdict
}

function decideFor(input: Case, domain: string | null, outbound: OutboundConnector | null): Verdict {
  const { snapshot, message, inbound, recipient } = input
  const common = describe(input, outbound)

  if (recipient.lastAttempt?.outcome === 'PermanentFailure') return refused(common, recipient.lastAttempt)
  if (inbound.unreadableSender)
    return bounce(common, 'UnreadableSender', badSender, 'The sender names no valid domain.')
  if (inbound.violation) return violated(input, inbound.violation, common, outbound)
  if (domain === null)
    return bounce(common, 'NotRoutable', notRoutable, `${recipient.address} names no domain.`)
  const accepted = snapshot.acceptedDomains.has(domain)
  const ours = message.source === null || inbound.attributedTo !== null
  if (!accepted && !ours)
    return bounce(
      common,
      'RelayDenied',
      relayDenied,
      `${domain} is not an accepted domain, and no OnPremises connector identifies the sender's server.`,
    )
  if (accepted && isReportAddress(recipient.address, input.settings))
    return deliverOrRetry(
      input,
      { ...common, connectors: { ...common.connectors, outbound: null } },
      null,
      domain,
    )
  if (accepted && outbound === null) return unrouted(input, common, domain)
  return deliverOrRetry(input, common, outbound, domain)
}

type Common = Pick<Decided, 'recipient' | 'connectors' | 'reportOnly' | 'decidedBy'>

function describe({ inbound, recipient }: Case, outbound: OutboundConnector | null): Common {
  const takesPart = inbound.violation?.connector ?? inbound.partner ?? inbound.attributedTo
  return {
    recipient,
    connectors: { inbound: takesPart?.id ?? null, outbound: outbound?.id ?? null },
    reportOnly: inbound.reported?.reason ?? null,
    decidedBy: outbound?.name ?? null,
  }
}

function bounce(common: Common, reason: Reason, answer: Reply, explanation: string): Bounce {
  return { ...common, action: 'Bounce', reason, reply: answer, explanation }
}

function refused(common: Common, attempt: Attempt): Bounce {
  const said = formatReply(attempt.reply)
  return attempt.host === null
    ? bounce(common, 'NoNextHop', attempt.reply, `There is no next hop for the message: ${said}.`)
    : bounce(common, 'RefusedByNextHop', attempt.reply, failedBecause(attempt))
}

function violated(
  input: Case,
  { connector, reason, postQueue, explanation }: ConnectorViolation,
  common: Common,
  outbound: OutboundConnector | null,
): Verdict {
  const decided = { ...common, decidedBy: connector.name }
  if (connector.onViolation === 'Bounce') return bounce(decided, reason, postQueue, explanation)
  return hold(input, decided, outbound, {
    reason,
    explanation,
    heldWith: asTemporary(postQueue),
    endsWith: postQueue,
  })
}

function unrouted(input: Case, common: Common, domain: string): Verdict {
  const text = `No outbound connector routes the accepted domain ${domain}`
  return hold(input, common, null, {
    reason: 'NoRouteForAcceptedDomain',
    explanation: `${text}, and its MX would bring the mail back to mailflow.`,
    heldWith: reply(451, '4.317', text),
    endsWith: expired(text),
  })
}

interface Hold {
  reason: Reason
  explanation: string
  heldWith: Reply
  endsWith: Reply
}

/** Defers without an attempt. Each quarter of an hour the message is decided again by the connectors of that moment. */
function hold(input: Case, common: Common, outbound: OutboundConnector | null, why: Hold): Verdict {
  const expiresAt = expiryOf(input.message, outbound)
  if (input.now >= expiresAt) return bounce(common, why.reason, why.endsWith, why.explanation)
  const due = nextQuarter(new Date(input.message.receivedAt), input.now)
  return defer(
    input,
    common,
    { reason: why.reason, explanation: why.explanation },
    why.heldWith,
    due,
    expiresAt,
  )
}

function deliverOrRetry(
  input: Case,
  common: Common,
  outbound: OutboundConnector | null,
  domain: string,
): Verdict {
  const { recipient, message, now } = input
  const attempt = recipient.lastAttempt
  if (attempt === null) return deliver(input, common, outbound, domain)
  if (attempt.outcome === 'TlsNotMet' && outbound !== null && bouncesAtOnce(outbound))
    return bounce(common, 'OutboundTlsNotMet', asPermanent(attempt.reply), failedBecause(attempt))
  const expiresAt = expiryOf(message, outbound)
  if (now >= expiresAt) return giveUp(common, attempt)
  const due = new Date(
    Date.parse(attempt.at) + attempt.durationMs + retryDelayMs(recipient.attempts, message.id),
  )
  if (input.retry || now >= due) return deliver(input, common, outbound, domain)
  const reason = attempt.outcome === 'TlsNotMet' ? 'OutboundTlsNotMet' : 'RetryLater'
  const why = { reason, explanation: failedBecause(attempt) } as const
  return defer(input, common, why, attempt.reply, due, expiresAt)
}

/** The mode is checked because it may have changed since the attempt. */
const bouncesAtOnce = ({ mode, tlsSettings, onTlsFailure }: OutboundConnector): boolean =>
  mode === 'Enforce' && tlsSettings !== null && onTlsFailure === 'Bounce'

function giveUp(common: Common, attempt: Attempt): Bounce {
  if (attempt.outcome === 'TlsNotMet')
    return bounce(common, 'OutboundTlsNotMet', asPermanent(attempt.reply), failedBecause(attempt))
  return bounce(common, 'Expired', expired(formatReply(attempt.reply)), failedBecause(attempt))
}

function failedBecause(attempt: Attempt): string {
  const where = attempt.host === null ? '' : ` at ${attempt.host}`
  return `Attempt ${attempt.number}${where} ended with ${formatReply(attempt.reply)}.`
}

export const isReportAddress = (address: string, { tlsReportAddress }: Settings): boolean =>
  tlsReportAddress?.toLowerCase() === address.toLowerCase()

function deliver(input: Case, common: Common, outbound: OutboundConnector | null, domain: string): Deliver {
  const { settings, recipient } = input
  if (isReportAddress(recipient.address, settings)) return keepReport(input, common, domain)
  const fallback: Route = settings.defaultRoute === 'Ses' ? { kind: 'Ses' } : { kind: 'Mx', domain }
  return {
    ...common,
    action: 'Deliver',
    reason: outbound ? 'ConnectorMatched' : 'DefaultRoute',
    explanation: outbound
      ? `Outbound connector "${outbound.name}" applies to ${domain}.`
      : `No outbound connector matches ${domain}: default route ${settings.defaultRoute}, ${openly[settings.defaultRoute]}.`,
    route: outbound ? routeOf(outbound, domain) : fallback,
    tls: outbound ? requirementOf(outbound) : opportunistic,
    destination: domain,
    attempt: recipient.attempts + 1,
  }
}

const openly = {
  Mx: 'TLS as the domain publishes it (DANE, MTA-STS), otherwise opportunistic',
  Ses: 'opportunistic TLS',
} as const

function keepReport({ recipient }: Case, common: Common, domain: string): Deliver {
  return {
    ...common,
    action: 'Deliver',
    reason: 'TlsReport',
    explanation: `${recipient.address} receives reports on TLS, which mailflow stores.`,
    route: { kind: 'TlsReports' },
    tls: opportunistic,
    destination: domain,
    attempt: recipient.attempts + 1,
  }
}

function defer(
  { message, recipient, now, settings }: Case,
  common: Common,
  why: Pick<Decided, 'reason' | 'explanation'>,
  answer: Reply,
  due: Date,
  expiresAt: Date,
): Defer {
  const waited = now.getTime() - Date.parse(message.receivedAt)
  return {
    ...common,
    ...why,
    action: 'Defer',
    reply: answer,
    until: due < expiresAt ? due : expiresAt,
    expiresAt,
    notifyDelay:
      waited >= (settings.delayNotificationHours ?? defaultDelayNotificationHours) * hourMs &&
      !recipient.delayNotified &&
      isToldOf('delayed', message, recipient),
  }
}

function expiryOf(message: Message, outbound: OutboundConnector | null): Date {
  const hours = outbound?.expirationHours ?? defaultExpirationHours
  return new Date(Date.parse(message.receivedAt) + hours * hourMs)
}

const expired = (text: string): Reply => reply(451, '4.7', `Message expired: ${text}`)

const asTemporary = (answer: Reply): Reply => ({
  code: 451,
  enhanced: answer.enhanced.replace(/^5/, '4'),
  text: answer.text,
})
