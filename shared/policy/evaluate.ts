/**
 * Decides for each recipient to deliver, defer or bounce, before the first attempt and after each attempt. No other
 * code decides this. Pure: the same connectors, facts and time always give the same verdicts.
 */
import type { InboundConnector, OutboundConnector } from '../connectors/schema.ts'
import { hourMs } from '../contract/durations.ts'
import type { Route, TlsRequirement } from '../contract/jobs.ts'
import { type Attempt, isCanary, type Message, type Recipient, type Reply } from '../contract/message.ts'
import { domainOf } from '../mail/address.ts'
import { asPermanent, asTemporary, formatReply, reply } from '../mail/reply.ts'
import {
  badSenderReply,
  isAcceptedRecipient,
  notRoutableReply,
  relayDeniedReply,
  unidentifiedText,
} from './admit-recipient.ts'
import {
  type ConnectorViolation,
  evaluationByDomain,
  type InboundEvaluation,
  noConnector,
  type Session,
} from './inbound.ts'
import {
  type DatedRequirement,
  type KeptRequirement,
  keptExplanation,
  keptRequirementOf,
  type LoweredField,
  loweredBy,
  routeOfRequirement,
} from './kept-requirement.ts'
import { hasMandatoryPolicy, requiresNextHopTls } from './mandatory-policies.ts'
import { shouldNotifySender } from './notification.ts'
import { opportunistic, requirementOf, routeOf, selectOutbound } from './outbound.ts'
import type { PostmasterSettings } from './postmaster.ts'
import type { Reason } from './reasons.ts'
import { mayReturnContent } from './returned-content.ts'
import {
  defaultDelayNotificationHours,
  defaultExpirationHours,
  nextQuarterHour,
  retryDelayMs,
} from './schedule.ts'
import type { Snapshot } from './snapshot.ts'

export interface Settings {
  /** The route of mail that no outbound connector matches. */
  defaultRoute: 'Mx' | 'Ses'
  /** Age of a deferred message at which its sender gets a delay DSN. Default: 4. */
  delayNotificationHours?: number
  /** The address to which other organisations send reports on TLS (RFC 8460). mailflow stores the reports. */
  tlsReportAddress?: string | null
  /** If absent, no postmaster is configured. */
  postmaster?: PostmasterSettings
}

interface VerdictFields {
  recipient: Recipient
  reason: Reason
  /** A sentence for the administrator. */
  explanation: string
  /** Ids of the connectors that matched. */
  connectors: { inbound: string | null; outbound: string | null }
  /** Name of the connector that decided, for the DSN. */
  decidedBy: string | null
  /** The reason why a connector in ReportOnly mode would have refused or held the message. */
  reportOnly: Reason | null
  /** The fields in which the current connectors require less than the kept requirement, which then applies. */
  lowered: LoweredField[]
  /** Whether the connector that decided enforces a policy of the recipient's domain (`Mandatory`). */
  isPolicyMandatory?: boolean
  /** The requirement to keep from this decision on; null when TLS is not forced, or a requirement is kept already. */
  newRequirement: KeptRequirement | null
  /** The release by which a violation of an inbound connector was skipped. */
  waiver?: Waiver
}

export interface Deliver extends VerdictFields {
  action: 'Deliver'
  route: Route
  tls: TlsRequirement
  /** The recipient's domain. */
  destination: string
  /** The number of the next attempt. */
  attempt: number
}

export interface Defer extends VerdictFields {
  action: 'Defer'
  until: Date
  expiresAt: Date
  reply: Reply
  /** Whether to send a delay DSN now. */
  notifyDelay: boolean
}

export interface Bounce extends VerdictFields {
  action: 'Bounce'
  reply: Reply
  /** Whether the DSN may return the whole message. */
  mayReturnContent?: boolean
  /** Whether no DSN is sent, because an administrator dropped the message. */
  isSilent?: boolean
}

export type Verdict = Deliver | Defer | Bounce

/** The release of a message despite the violation of inbound connectors. `at`: ISO 8601. */
export interface Waiver {
  at: string
  /** IAM principal, or subject of the token. */
  by: string
  /** The administrator's reason. */
  reason: string
  /** Ids of the connectors that held the message. What another connector finds, no administrator has seen. */
  connectors: readonly string[]
}

export const isWaived = ({ connector }: ConnectorViolation, waiver: Waiver | null | undefined): boolean =>
  waiver?.connectors.includes(connector.id) ?? false

/** Facts about a recipient from earlier decisions and requests. */
export interface EarlierFacts {
  kept: DatedRequirement | null
  /** Null when no administrator released the message. */
  waiver: Waiver | null
  /** An administrator returned the message. */
  isReturned: boolean
  /** An administrator dropped the message. */
  isDropped: boolean
}

export const noEarlierFacts: EarlierFacts = { kept: null, waiver: null, isReturned: false, isDropped: false }

export interface EvaluationInput {
  snapshot: Snapshot
  settings: Settings
  message: Message
  recipients: readonly Recipient[]
  /** By address; empty for a new message. */
  earlier?: ReadonlyMap<string, EarlierFacts>
  now: Date
  /** The next attempt is made immediately: an administrator requests it, or the previous decision was stale. */
  retry?: boolean | undefined
}

/** One verdict for each recipient, in their order. */
export function evaluate({
  snapshot,
  settings,
  message,
  recipients,
  earlier,
  now,
  retry = false,
}: EvaluationInput): Verdict[] {
  const inboundFor = inboundByRecipient(snapshot, message)
  return recipients.map((recipient) =>
    decide({
      snapshot,
      settings,
      message,
      inbound: inboundFor(recipient.address),
      recipient,
      earlier: earlier?.get(recipient.address) ?? noEarlierFacts,
      now,
      retry,
    }),
  )
}

/**
 * Evaluates the inbound connectors for each recipient of a message, once for each domain. None applies to a message that
 * mailflow created, such as a DSN.
 */
export function inboundByRecipient(
  snapshot: Snapshot,
  message: Message,
): (address: string) => InboundEvaluation {
  const { source } = message
  if (source === null) return () => noConnector
  const session = sessionOf(message, source.ip)
  return evaluationByDomain(snapshot, session)
}

export function sessionOf(message: Message, ip: string): Session {
  return {
    ip,
    tls: message.tls,
    mailFrom: message.envelope.mailFrom,
    at: new Date(message.receivedAt),
    content: {
      exchangeOnline: message.exchangeOnline ?? null,
      authentication: message.authentication ?? null,
    },
  }
}

interface RecipientInput {
  snapshot: Snapshot
  settings: Settings
  message: Message
  inbound: InboundEvaluation
  recipient: Recipient
  earlier: EarlierFacts
  now: Date
  retry: boolean
}

function decide(input: RecipientInput): Verdict {
  const domain = domainOf(input.recipient.address)
  const outbound = domain === null ? null : selectOutbound(input.snapshot, domain)
  const verdict = decideFor(input, domain, outbound)
  if (verdict.action === 'Deliver' && verdict.waiver)
    return { ...verdict, explanation: `${verdict.explanation} ${waiverText(verdict.waiver)}` }
  const hadForcedTls = input.earlier.kept !== null
  return verdict.action === 'Bounce' && mayReturnContent({ ...input, outbound, hadForcedTls })
    ? { ...verdict, mayReturnContent: true }
    : verdict
}

/** A sentence for the administrator. No DSN contains it. */
export const waiverText = ({ at, by, reason }: Waiver): string =>
  `${by} released it at ${at} despite the violation: ${reason}`

function decideFor(
  input: RecipientInput,
  domain: string | null,
  outbound: OutboundConnector | null,
): Verdict {
  const { snapshot, message, inbound, recipient, earlier } = input
  const common = commonFieldsOf(input, outbound)

  // Before the next hop's refusal, because a drop sends no DSN.
  if (earlier.isDropped)
    return {
      ...bounce(common, 'DroppedByAdministrator', droppedReply, 'An administrator dropped the message.'),
      isSilent: true,
    }
  if (recipient.lastAttempt?.outcome === 'PermanentFailure')
    return bounceRefused(common, recipient.lastAttempt)
  if (earlier.isReturned)
    return bounce(common, 'ReturnedByAdministrator', returnedReply, 'An administrator returned the message.')
  if (domain !== null && isCanary(message, recipient))
    return deliverOrRetry(input, withoutConnectors(common), null, domain)
  if (inbound.unreadableSender)
    return bounce(common, 'UnreadableSender', badSenderReply, 'The sender names no valid domain.')
  const violation = inbound.violations.find((each) => !isWaived(each, earlier.waiver))
  if (violation) return applyViolation(input, violation, common, outbound)
  if (domain === null)
    return bounce(common, 'NotRoutable', notRoutableReply, `${recipient.address} names no domain.`)
  const isAcceptedDomain = snapshot.acceptedDomains.has(domain)
  const isFromOrganisation = message.source === null || inbound.attributedTo !== null
  if (!isFromOrganisation && !isAcceptedRecipient(snapshot, recipient.address, input.settings.postmaster))
    return bounce(
      common,
      'RelayDenied',
      relayDeniedReply,
      `${domain} is not an accepted domain, and ${unidentifiedText(inbound)}.`,
    )
  if (isAcceptedDomain && isReportAddress(recipient.address, input.settings))
    return deliverOrRetry(
      input,
      { ...common, connectors: { ...common.connectors, outbound: null }, lowered: [], newRequirement: null },
      null,
      domain,
    )
  if (isAcceptedDomain && outbound === null && common.lowered.length === 0)
    return holdUnrouted(input, common, domain)
  return deliverOrRetry(input, common, outbound, domain)
}

/** RFC 3463 §3.8: "Something related to security caused the message to be returned". */
const returnedReply = reply(550, '5.7.0', 'Returned by the administrator before delivery')
/** No DSN contains this reply. */
const droppedReply = reply(550, '5.7.0', 'Dropped by the administrator before delivery')

type CommonFields = Pick<
  VerdictFields,
  | 'recipient'
  | 'connectors'
  | 'reportOnly'
  | 'decidedBy'
  | 'lowered'
  | 'isPolicyMandatory'
  | 'newRequirement'
  | 'waiver'
>

/**
 * No connector applies to a canary, because it comes from no partner. A Partner connector for all domains would otherwise
 * refuse it.
 */
const withoutConnectors = ({ recipient }: CommonFields): CommonFields => ({
  recipient,
  connectors: { inbound: null, outbound: null },
  reportOnly: null,
  decidedBy: null,
  lowered: [],
  newRequirement: null,
})

function commonFieldsOf(
  { inbound, recipient, earlier: { kept, waiver } }: RecipientInput,
  outbound: OutboundConnector | null,
): CommonFields {
  const lowered = kept === null ? [] : loweredBy(outbound, kept.requirement)
  const keptRequirement = kept !== null && lowered.length > 0 ? kept.requirement : null
  const decider = keptRequirement?.connector ?? outbound
  const tls = keptRequirement?.tls ?? outbound
  return {
    recipient,
    connectors: { inbound: matchedConnector(inbound)?.id ?? null, outbound: decider?.id ?? null },
    reportOnly: inbound.reportedViolation?.reason ?? null,
    decidedBy: decider?.name ?? null,
    lowered,
    ...(tls?.mode === 'Enforce' && hasMandatoryPolicy(tls) && { isPolicyMandatory: true }),
    newRequirement: kept === null ? keptRequirementOf(outbound) : null,
    ...(waiver && inbound.violations.some((each) => isWaived(each, waiver)) && { waiver }),
  }
}

/** The inbound connector of a verdict. */
export const matchedConnector = ({
  violation,
  partner,
  attributedTo,
  reportedViolation,
}: InboundEvaluation): InboundConnector | null =>
  violation?.connector ?? partner ?? attributedTo ?? reportedViolation?.connector ?? null

function bounce(common: CommonFields, reason: Reason, finalReply: Reply, explanation: string): Bounce {
  return { ...common, action: 'Bounce', reason, reply: finalReply, explanation }
}

function bounceRefused(common: CommonFields, attempt: Attempt): Bounce {
  const replyText = formatReply(attempt.reply)
  return attempt.host === null
    ? bounce(common, 'NoNextHop', attempt.reply, `There is no next hop for the message: ${replyText}.`)
    : bounce(common, 'RefusedByNextHop', attempt.reply, attemptExplanation(attempt))
}

function applyViolation(
  input: RecipientInput,
  { connector, reason, postQueue, explanation, isUndetermined }: ConnectorViolation,
  common: CommonFields,
  outbound: OutboundConnector | null,
): Verdict {
  const withDecider = {
    ...common,
    connectors: { ...common.connectors, inbound: connector.id },
    decidedBy: connector.name,
  }
  if (connector.onViolation === 'Bounce' && !isUndetermined)
    return bounce(withDecider, reason, postQueue, explanation)
  return hold(input, withDecider, outbound, {
    reason,
    explanation,
    deferralReply: asTemporary(postQueue),
    finalReply: postQueue,
  })
}

function holdUnrouted(input: RecipientInput, common: CommonFields, domain: string): Verdict {
  const text = `No outbound connector routes the accepted domain ${domain}`
  return hold(input, common, null, {
    reason: 'NoRouteForAcceptedDomain',
    explanation: `${text}, and its MX host is usually mailflow itself, which would cause a mail loop.`,
    deferralReply: reply(451, '4.4.317', text),
    finalReply: expiredReply(text),
  })
}

interface HoldReason {
  reason: Reason
  explanation: string
  deferralReply: Reply
  finalReply: Reply
}

/**
 * Defers without an attempt, or bounces after expiry. Until then the message is decided again every 15 minutes, with
 * the connectors of that time.
 */
function hold(
  input: RecipientInput,
  common: CommonFields,
  outbound: OutboundConnector | null,
  holdReason: HoldReason,
): Verdict {
  const expiresAt = expiryOf(input.message, outbound)
  if (input.now >= expiresAt)
    return bounce(common, holdReason.reason, holdReason.finalReply, holdReason.explanation)
  const dueAt = nextQuarterHour(new Date(input.message.receivedAt), input.now)
  return defer(
    input,
    common,
    { reason: holdReason.reason, explanation: holdReason.explanation },
    holdReason.deferralReply,
    dueAt,
    expiresAt,
  )
}

function deliverOrRetry(
  input: RecipientInput,
  common: CommonFields,
  outbound: OutboundConnector | null,
  domain: string,
): Verdict {
  const { recipient, message, now } = input
  const attempt = recipient.lastAttempt
  if (attempt === null) return deliver(input, common, outbound, domain)
  if (attempt.outcome === 'TlsNotMet' && outbound !== null && shouldBounceOnTlsFailure(outbound))
    return bounce(common, 'OutboundTlsNotMet', asPermanent(attempt.reply), attemptExplanation(attempt))
  const expiresAt = expiryOf(message, outbound)
  if (now >= expiresAt) return bounceExpired(common, attempt)
  const dueAt = new Date(
    Date.parse(attempt.at) + attempt.durationMs + retryDelayMs(recipient.attempts, message.id),
  )
  if (input.retry || now >= dueAt) return deliver(input, common, outbound, domain)
  const reason = attempt.outcome === 'TlsNotMet' ? 'OutboundTlsNotMet' : 'RetryLater'
  const attemptReason = { reason, explanation: attemptExplanation(attempt) } as const
  return defer(input, common, attemptReason, attempt.reply, dueAt, expiresAt)
}

/** The mode is checked because it may have changed after the attempt. */
const shouldBounceOnTlsFailure = (connector: OutboundConnector): boolean =>
  connector.mode === 'Enforce' && requiresNextHopTls(connector) && connector.onTlsFailure === 'Bounce'

function bounceExpired(common: CommonFields, attempt: Attempt): Bounce {
  if (attempt.outcome === 'TlsNotMet')
    return bounce(common, 'OutboundTlsNotMet', asPermanent(attempt.reply), attemptExplanation(attempt))
  return bounce(common, 'Expired', expiredReply(formatReply(attempt.reply)), attemptExplanation(attempt))
}

function attemptExplanation(attempt: Attempt): string {
  const hostText = attempt.host === null ? '' : ` at ${attempt.host}`
  return `Attempt ${attempt.number}${hostText} ended with ${formatReply(attempt.reply)}.`
}

export const isReportAddress = (address: string, { tlsReportAddress }: Settings): boolean =>
  tlsReportAddress?.toLowerCase() === address.toLowerCase()

function deliver(
  input: RecipientInput,
  common: CommonFields,
  outbound: OutboundConnector | null,
  domain: string,
): Deliver {
  const { settings, recipient } = input
  if (isCanary(input.message, recipient)) return receiveCanary(input, common, domain)
  if (isReportAddress(recipient.address, settings)) return storeReport(input, common, domain)
  const { kept } = input.earlier
  if (kept !== null && common.lowered.length > 0)
    return {
      ...common,
      action: 'Deliver',
      reason: 'RequirementKept',
      explanation: keptExplanation(kept, common.lowered),
      route: routeOfRequirement(kept.requirement, domain),
      tls: kept.requirement.tls,
      destination: domain,
      attempt: recipient.attempts + 1,
    }
  const fallback: Route = settings.defaultRoute === 'Ses' ? { kind: 'Ses' } : { kind: 'Mx', domain }
  return {
    ...common,
    action: 'Deliver',
    reason: outbound ? 'ConnectorMatched' : 'DefaultRoute',
    explanation: outbound
      ? `Outbound connector "${outbound.name}" applies to ${domain}.`
      : `No outbound connector matches ${domain}: default route ${settings.defaultRoute}, ${defaultTlsDescription[settings.defaultRoute]}.`,
    route: outbound ? routeOf(outbound, domain) : fallback,
    tls: outbound ? requirementOf(outbound) : opportunistic,
    destination: domain,
    attempt: recipient.attempts + 1,
  }
}

const defaultTlsDescription = {
  Mx: 'TLS as the domain publishes it (DANE, MTA-STS), otherwise opportunistic',
  Ses: 'opportunistic TLS',
} as const

function receiveCanary({ recipient }: RecipientInput, common: CommonFields, domain: string): Deliver {
  return {
    ...common,
    action: 'Deliver',
    reason: 'Canary',
    explanation: `The message is a canary, whose arrival mailflow records.`,
    route: { kind: 'Canary' },
    tls: opportunistic,
    destination: domain,
    attempt: recipient.attempts + 1,
  }
}

function storeReport({ recipient }: RecipientInput, common: CommonFields, domain: string): Deliver {
  return {
    ...common,
    action: 'Deliver',
    reason: 'TlsReport',
    explanation: `${recipient.address} is the address for reports on TLS, which mailflow stores.`,
    route: { kind: 'TlsReports' },
    tls: opportunistic,
    destination: domain,
    attempt: recipient.attempts + 1,
  }
}

function defer(
  { message, recipient, now, settings }: RecipientInput,
  common: CommonFields,
  explainedReason: Pick<VerdictFields, 'reason' | 'explanation'>,
  deferralReply: Reply,
  dueAt: Date,
  expiresAt: Date,
): Defer {
  const ageMs = now.getTime() - Date.parse(message.receivedAt)
  return {
    ...common,
    ...explainedReason,
    action: 'Defer',
    reply: deferralReply,
    until: dueAt < expiresAt ? dueAt : expiresAt,
    expiresAt,
    notifyDelay:
      ageMs >= (settings.delayNotificationHours ?? defaultDelayNotificationHours) * hourMs &&
      !recipient.delayNotified &&
      shouldNotifySender('delayed', message, recipient),
  }
}

function expiryOf(message: Message, outbound: OutboundConnector | null): Date {
  const hours = outbound?.expirationHours ?? defaultExpirationHours
  return new Date(Date.parse(message.receivedAt) + hours * hourMs)
}

const expiredReply = (text: string): Reply => reply(451, '4.4.7', `Message expired: ${text}`)
