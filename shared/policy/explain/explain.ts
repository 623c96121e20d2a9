/**
 * Predicts the decisions about a hypothetical message and their reasons: replies in session, verdicts, connectors
 * considered. Nothing is sent or stored. The trace of a real message uses the same functions.
 */
import type { InboundConnector } from '../../connectors/schema.ts'
import type { ExchangeOnlineFields, MessageAuthentication } from '../../contract/authentication.ts'
import type { Route, TlsRequirement } from '../../contract/jobs.ts'
import {
  basicEnvelope,
  type Message,
  newRecipient,
  type Reply,
  type TlsFacts,
} from '../../contract/message.ts'
import { domainOf } from '../../mail/address.ts'
import { reply } from '../../mail/reply.ts'
import { admitRecipient } from '../admit-recipient.ts'
import {
  evaluate,
  inboundByRecipient,
  isWaived,
  type Settings,
  sessionOf,
  type Verdict,
  waiverText,
} from '../evaluate.ts'
import type { InboundEvaluation } from '../inbound.ts'
import { bestPattern } from '../order.ts'
import { resolvePostmaster } from '../postmaster.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Considered } from './considered.ts'
import { consideredInbound } from './considered-inbound.ts'
import { consideredOutbound } from './considered-outbound.ts'

export interface HypotheticalMessage {
  /** The reverse path; empty for the null reverse path. */
  mailFrom: string
  rcptTo: readonly string[]
  ip: string
  tls: TlsFacts
  /** If absent, the message shows no tenant. */
  exchangeOnline?: ExchangeOnlineFields
  /** If absent, no result is assumed. */
  authentication?: MessageAuthentication
}

export interface Explanation {
  /** The inbound connectors for the first recipient, in order of precedence. */
  considered: Considered[]
  /** Sentences on what the decision does not cover. */
  warnings: string[]
  recipients: RecipientExplanation[]
}

export interface RecipientExplanation {
  /** As `resolvePostmaster` returns it. */
  address: string
  /** The reply to RCPT TO. */
  inSession: Reply
  verdict: Verdict
  /** `route` and `tls` are null unless the verdict is `Deliver`. */
  route: Route | null
  tls: TlsRequirement | null
  /**
   * The outbound connectors, in order of precedence; before them the inbound connectors, if they are others than those of
   * the first recipient.
   */
  considered: Considered[]
}

/** Limit for the connectors listed for a session, and for each recipient. */
const maxConnectorsInList = 100
/** Limit for the connectors of each direction in the trace of a recipient. */
const maxConnectorsInTrace = 10
/**
 * Limit for the outbound connectors in one API response, over all recipients: the response of a Lambda function is at
 * most 6 MB.
 */
const maxConnectorsInResponse = 1000

export function explain(
  snapshot: Snapshot,
  settings: Settings,
  hypotheticalMessage: HypotheticalMessage,
  now: Date,
): Explanation {
  const message = toMessage(hypotheticalMessage, now)
  const inboundFor = inboundByRecipient(snapshot, message)
  // The message is authenticated after the session.
  const { authentication: _, ...messageInSession } = message
  const inSessionFor = inboundByRecipient(snapshot, messageInSession)
  const { postmaster } = settings
  const recipients = hypotheticalMessage.rcptTo.map((address) =>
    newRecipient(postmaster ? resolvePostmaster(address, snapshot, postmaster) : address),
  )
  const verdicts = evaluate({ snapshot, settings, message, recipients, now })
  const maxOutbound = Math.min(maxConnectorsInList, Math.floor(maxConnectorsInResponse / recipients.length))
  const evaluation = inboundFor(recipients[0]?.address ?? '')
  const considered = inboundConsideredFor(snapshot, message, evaluation, maxConnectorsInList)
  return {
    considered,
    warnings: [
      ...fromFieldWarnings(evaluation, domainOf(hypotheticalMessage.mailFrom)),
      ...(hypotheticalMessage.authentication ? [] : dmarcWarnings(evaluation)),
    ],
    recipients: verdicts.map((verdict) => {
      const { address } = verdict.recipient
      const isDelivered = verdict.action === 'Deliver'
      const ownEvaluation = inboundFor(address)
      const inbound =
        ownEvaluation === evaluation
          ? considered
          : inboundConsideredFor(snapshot, message, ownEvaluation, maxConnectorsInList)
      return {
        address,
        inSession: rcptReply(snapshot, inSessionFor(address), address, postmaster),
        verdict,
        route: isDelivered ? verdict.route : null,
        tls: isDelivered ? verdict.tls : null,
        considered: [
          // The scope of a connector may leave out some of the recipients.
          ...(areEqual(inbound, considered) ? [] : inbound.slice(0, maxOutbound)),
          ...outboundConsideredFor(snapshot, verdict, maxOutbound),
        ],
      }
    }),
  }
}

const areEqual = (one: readonly Considered[], other: readonly Considered[]): boolean =>
  JSON.stringify(one) === JSON.stringify(other)

/**
 * The attack: a message shows a partner's address in its From: field, and its MAIL FROM has the attacker's domain. The
 * partner's connector does not apply to it. The defence: this warning informs administrators who rely on the connector.
 * A connector for `*` applies to that message too, so it needs no warning, and one with `requireDmarc` covers it.
 */
function fromFieldWarnings(
  { partner, reportOnlyPartner }: InboundEvaluation,
  domain: string | null,
): string[] {
  const connector = [partner, reportOnlyPartner].find(
    (candidate) => candidate !== null && !candidate.requireDmarc && !isForAllSenders(candidate, domain),
  )
  if (!connector) return []
  return [
    `Connector "${connector.name}" evaluates only MAIL FROM. Only requireDmarc covers a From: address of ${domain} with another MAIL FROM.`,
  ]
}

const dmarcWarnings = ({ partner, reportOnlyPartner, attributedTo }: InboundEvaluation): string[] =>
  attributedTo?.treatMessagesAsInternal
    ? []
    : [...new Set([partner, reportOnlyPartner])]
        .filter((connector) => connector?.requireDmarc)
        .map(
          (connector) =>
            `Connector "${connector?.name}" also requires that the message passes DMARC, which only its content shows.`,
        )

const isForAllSenders = ({ senderDomains }: InboundConnector, domain: string | null): boolean =>
  bestPattern(senderDomains, domain) === '*'

type ExplainedVerdict = Pick<Verdict, 'recipient' | 'reason' | 'lowered' | 'waiver'>

/** Explains the verdicts of one message: for each recipient the connectors considered, inbound ones first. */
export function createExplainer(
  snapshot: Snapshot,
  message: Message,
): (verdict: ExplainedVerdict) => Considered[] {
  const inboundFor = inboundByRecipient(snapshot, message)
  return (verdict) => {
    const evaluation = inboundFor(verdict.recipient.address)
    const inbound = inboundConsideredFor(snapshot, message, evaluation, maxConnectorsInTrace)
    return [
      ...withWaiver(inbound, evaluation, verdict),
      ...outboundConsideredFor(snapshot, verdict, maxConnectorsInTrace),
    ]
  }
}

/** A waived connector does not decide, although its requirement is not met. */
const withWaiver = (
  considered: readonly Considered[],
  { violations }: InboundEvaluation,
  { waiver }: ExplainedVerdict,
): Considered[] =>
  considered.map((each) =>
    waiver &&
    violations.some((violation) => violation.connector.id === each.connector && isWaived(violation, waiver))
      ? { ...each, outcome: 'Waived', why: `${each.why} ${waiverText(waiver)}` }
      : each,
  )

function inboundConsideredFor(
  snapshot: Snapshot,
  message: Message,
  evaluation: InboundEvaluation,
  maxConnectors: number,
): Considered[] {
  if (message.source === null) return []
  return consideredInbound(snapshot, sessionOf(message, message.source.ip), evaluation, maxConnectors)
}

/** A report that mailflow stores, and a canary, use no outbound connector. */
function outboundConsideredFor(
  snapshot: Snapshot,
  { recipient, reason, lowered }: ExplainedVerdict,
  maxConnectors: number,
): Considered[] {
  const domain = reason === 'TlsReport' || reason === 'Canary' ? null : domainOf(recipient.address)
  if (domain === null) return []
  return consideredOutbound(snapshot, domain, maxConnectors).map((considered) =>
    lowered.length > 0 && (considered.outcome === 'Decides' || considered.outcome === 'Reports')
      ? { ...considered, outcome: 'Outranked', why: loweredText(lowered) }
      : considered,
  )
}

const loweredText = (lowered: Verdict['lowered']): string =>
  `The message keeps the requirement of its first decision, which this connector lowers (${lowered.join(', ')}).`

/** The ingress's reply to an accepted RCPT TO. */
const accepted = reply(250, '2.1.5', 'Accepted')

function rcptReply(
  snapshot: Snapshot,
  evaluation: InboundEvaluation,
  address: string,
  postmaster: Settings['postmaster'],
): Reply {
  const rcptResult = admitRecipient(snapshot, evaluation, address, postmaster)
  return rcptResult.action === 'Refuse' ? rcptResult.reply : accepted
}

const noTenantFields: ExchangeOnlineFields = {
  tenantIds: [],
  originatorOrganizations: [],
  alignedSignatures: [],
}

function toMessage(
  { mailFrom, ip, tls, exchangeOnline = noTenantFields, authentication }: HypotheticalMessage,
  now: Date,
): Message {
  return {
    exchangeOnline,
    ...(authentication && { authentication }),
    id: '00000000000000000000000000',
    receivedAt: now.toISOString(),
    source: { ip, port: 0, helo: '' },
    direction: 'Incoming',
    attributedTo: null,
    tls,
    envelope: basicEnvelope(mailFrom),
    size: 0,
    content: { bucket: '', key: '', offset: 0, length: 0, sha256: '0'.repeat(64) },
  }
}
