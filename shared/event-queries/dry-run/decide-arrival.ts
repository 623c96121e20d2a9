/**
 * Decides about past mail until the first attempt, with the functions that decide real mail, in their order: RCPT TO, the
 * end of data, evaluate-policy. Pure.
 */
import type { ExchangeOnlineFields, MessageAuthentication } from '../../contract/authentication.ts'
import { basicEnvelope, type Envelope, type Message, newRecipient, noTls } from '../../contract/message.ts'
import { tenantFields } from '../../contract/tenant-columns.ts'
import { admitRecipient } from '../../policy/admit-recipient.ts'
import { recipientCheckOf } from '../../policy/check-recipient.ts'
import { connectorsCheckingRevocation, withRevocation } from '../../policy/client-revocation.ts'
import { type Deliver, evaluate, type Settings, type Verdict } from '../../policy/evaluate.ts'
import {
  evaluateInbound,
  type InboundEvaluation,
  isProvisional,
  recipientScope,
  type Session,
} from '../../policy/inbound.ts'
import { authenticationNeed } from '../../policy/needs-authentication.ts'
import { resolvePostmaster } from '../../policy/postmaster.ts'
import { requiredClientLevel } from '../../policy/required-client-level.ts'
import type { Snapshot } from '../../policy/snapshot.ts'
import type { Assume } from './assumptions.ts'
import type { Determined } from './dry-run-result.ts'
import type { ArrivalColumns, MailFacts, RejectionColumns } from './mail-facts.ts'
import { assumeOwnAuthorities, pastTls } from './past-client.ts'

/** Facts with the addresses of sender and recipient. */
export type AddressedFacts = MailFacts & Required<Pick<MailFacts, 'sender' | 'recipient'>>

/** `Deliver`: an attempt is made. The other fields are those of the evaluation, and depend on what was assumed. */
export type ArrivalDecision =
  | { kind: 'Decided'; result: Determined }
  | { kind: 'Deliver'; verdict: Deliver; message: Message; snapshot: Snapshot }

export interface DryRunInput {
  facts: AddressedFacts
  snapshot: Snapshot
  settings: Settings
  assume: Assume
}

export function decideArrival(input: DryRunInput): ArrivalDecision {
  const { facts, settings } = input
  const { clientIp } = facts.arrival
  if (clientIp === undefined) return decideMessage(input, input.snapshot, ownMessage(facts), facts.recipient)
  // The event of a rejection has the recipient as the client wrote it.
  const address =
    facts.rejection !== null && settings.postmaster
      ? resolvePostmaster(facts.recipient, input.snapshot, settings.postmaster)
      : facts.recipient
  const scope = recipientScope(input.snapshot, address)
  const { session, snapshot } = sessionInSnapshot(input, clientIp, scope)
  const evaluation = evaluateInbound(snapshot, session, scope)
  const rcpt = admitRecipient(snapshot, evaluation, address, settings.postmaster)
  if (rcpt.action === 'Refuse') return refused(input.snapshot, rcpt.reason, rcpt.connector)
  const otherRefusal = facts.rejection && decideOtherRefusal(input, facts.rejection, evaluation, address)
  if (otherRefusal) return { kind: 'Decided', result: otherRefusal }
  const content = isProvisional(evaluation) ? decideTenant(input, snapshot, session, scope, address) : null
  if (content?.refusal) return content.refusal
  const exchangeOnline = content?.fields ?? tenantFields(facts.arrival)
  const message = { ...clientMessage(facts, session), ...(exchangeOnline && { exchangeOnline }) }
  return decideMessage(input, snapshot, message, address)
}

const refused = (snapshot: Snapshot, reason: string, connector: string | null): ArrivalDecision => ({
  kind: 'Decided',
  result: { outcome: 'Refused', reason, connector, level: levelOf(snapshot, connector) },
})

function levelOf({ all }: Snapshot, id: string | null): Determined['level'] {
  const rule = id === null ? undefined : all.inbound.get(id)
  return rule ? requiredClientLevel(rule.connector) : null
}

/** Returns the session, and the snapshot in which connectors accept the client's certificate as is assumed. */
function sessionInSnapshot(
  { facts, snapshot: original, assume }: DryRunInput,
  ip: string,
  scope: string | null,
): { session: Session; snapshot: Snapshot } {
  const tls = pastTls(facts, original, assume)
  const session: Session = { ip, tls, mailFrom: facts.sender, at: new Date(facts.at) }
  const snapshot = assumeOwnAuthorities(original, session, scope, {
    assume,
    trustAnchors: facts.arrival.trustAnchors,
  })
  if (connectorsCheckingRevocation(snapshot, session, scope).length === 0) return { session, snapshot }
  const status = assume({
    key: revocationOfClient,
    sentence: 'The revocation of the client certificate was not checked in the session.',
    values: ['Good', 'Unknown', 'Revoked'] as const,
  })
  return { session: { ...session, tls: withRevocation(tls, { status, detail: '' }) }, snapshot }
}

export const revocationOfClient = 'revocation of the client certificate'

/**
 * Returns the refusal of a session that came before every decision of a connector, such as a malformed address or a
 * message that is too large; null for other rejections.
 */
export function earlyRefusal({ stage, reason = 'Unknown' }: RejectionColumns): Determined | null {
  const isLater =
    stage === 'Data' || (stage === 'Rcpt' && [decidedReasons, laterReasons].some((each) => each.has(reason)))
  return isLater ? null : { outcome: 'Refused', reason, connector: null, level: null }
}

/** Reasons of refusals that the policy functions decide again here. */
const decidedReasons: ReadonlySet<string> = new Set([
  'UnreadableSender',
  'InboundTlsRequired',
  'InboundTlsVersion',
  'InboundCertificateRestriction',
  'InboundAddressRestriction',
  'NotRoutable',
  'RelayDenied',
  'TenantUndetermined',
])

/** Reasons of refusals of a recipient that the policy functions admit. */
const recipientReasons = ['UnknownRecipient', 'TooManyUnknownRecipients', 'TooManyRecipientChecks']
const laterReasons: ReadonlySet<string> = new Set([
  ...recipientReasons,
  'CertificateNotRequested',
  'MessageRate',
  'MessageRatePerAddress',
])

/** @returns the refusal for which the ingress has another cause than the reply of a connector; null: none */
function decideOtherRefusal(
  { snapshot, settings, assume }: DryRunInput,
  rejection: RejectionColumns,
  evaluation: InboundEvaluation,
  address: string,
): Determined | null {
  const { reason = 'Unknown', inboundConnector = null } = rejection
  const refusal: Determined = { outcome: 'Refused', reason, connector: null, level: null }
  const check = recipientCheckOf(snapshot, address, settings)
  if (recipientReasons.includes(reason)) return check === null ? null : refusal
  if (reason === 'MessageRate') return decideRate(snapshot, inboundConnector, refusal, assume)
  if (!decidedReasons.has(reason)) return refusal
  // At the end of data, the recipient had been checked.
  if (check === null || rejection.stage === 'Data' || evaluation.unreadableSender) return null
  const exists = assume({
    key: 'recipient',
    sentence: 'The session was refused before the ingress checked whether the recipient exists.',
    values: [true, false],
  })
  return exists ? null : { ...refusal, reason: 'UnknownRecipient' }
}

function decideRate(
  { all }: Snapshot,
  id: string | null,
  refusal: Determined,
  assume: Assume,
): Determined | null {
  const limit = (id !== null && all.inbound.get(id)?.connector.messageRateLimit) || null
  if (limit === null) return null
  const isExceeded = assume({
    key: `rate of ${id} ${limit}`,
    sentence: "The events do not hold the rate of the connector's mail.",
    values: [true, false],
  })
  return isExceeded ? { ...refusal, connector: id } : null
}

/**
 * Decides at the end of data, when the content shows the tenant of Exchange Online. A refusal of one recipient is for
 * the whole message.
 */
function decideTenant(
  input: DryRunInput,
  snapshot: Snapshot,
  session: Session,
  scope: string | null,
  address: string,
): { refusal: ArrivalDecision | null; fields: ExchangeOnlineFields } {
  const { facts, settings, assume } = input
  const evaluateWith = (exchangeOnline: ExchangeOnlineFields) =>
    evaluateInbound(snapshot, { ...session, content: { exchangeOnline, authentication: null } }, scope)
  let fields = tenantFields(facts.arrival) ?? assumeTenant(snapshot, assume)
  if (evaluateWith(fields).tenant?.finding.kind === 'NeedsSignature')
    fields = { ...fields, alignedSignatures: assumeSignatures(snapshot, assume) }
  const evaluation = evaluateWith(fields)
  const rcpt = admitRecipient(snapshot, evaluation, address, settings.postmaster)
  if (rcpt.action === 'Refuse')
    return { refusal: refused(input.snapshot, rcpt.reason, rcpt.connector), fields }
  const mayBeRefused = evaluation.attributedTo === null && facts.hasOtherRecipients
  const isRefused =
    mayBeRefused &&
    assume({
      key: 'other recipients',
      sentence:
        'The message is refused for all recipients if one of the others is outside the accepted domains.',
      values: [false, true],
    })
  const connector = evaluation.tenant?.connector.id ?? null
  return { refusal: isRefused ? refused(input.snapshot, 'RelayDenied', connector) : null, fields }
}

const noFields: ExchangeOnlineFields = { tenantIds: [], originatorOrganizations: [], alignedSignatures: null }
const otherTenant = '00000000-0000-0000-0000-000000000000'

/** The tenant of one of the connectors, another tenant, or no field. */
function assumeTenant({ onPremises }: Snapshot, assume: Assume): ExchangeOnlineFields {
  const tenants = onPremises.rules.flatMap(({ connector }) => connector.exchangeOnline?.tenantIds ?? [])
  const known = [...new Set(tenants)].sort()
  const tenant = assume({
    key: `tenant ${known.join(' ')}`,
    sentence: 'The ingress did not read the fields of Exchange Online that show the tenant.',
    values: [...known, otherTenant, null],
  })
  return tenant === null ? noFields : { ...noFields, tenantIds: [tenant] }
}

/** One accepted domain stands for all. */
function assumeSignatures({ acceptedDomains }: Snapshot, assume: Assume): string[] {
  const isSigned = assume({
    key: 'signature of an accepted domain',
    sentence: 'The ingress did not verify the signatures that may show the tenant.',
    values: [true, false],
  })
  return isSigned ? [...acceptedDomains].slice(0, 1) : []
}

const ownMessage = ({ at, sender, arrival }: AddressedFacts): Message => ({
  ...unusedFields,
  receivedAt: at,
  source: null,
  tls: noTls,
  envelope: envelopeOf(sender, arrival),
})

const clientMessage = ({ at, sender, arrival }: AddressedFacts, { ip, tls }: Session): Message => ({
  ...unusedFields,
  receivedAt: at,
  source: { ip, port: 0, helo: '' },
  tls,
  envelope: envelopeOf(sender, arrival),
})

const envelopeOf = (sender: string, { requireTls = false }: ArrivalColumns): Envelope => ({
  ...basicEnvelope(sender),
  requireTls,
})

/** No decision reads them. */
const unusedFields = {
  id: '00000000000000000000000000',
  direction: 'Incoming' as const,
  attributedTo: null,
  size: 0,
  content: { bucket: '', key: '', offset: 0, length: 0, sha256: '0'.repeat(64) },
}

function decideMessage(
  input: DryRunInput,
  snapshot: Snapshot,
  message: Message,
  address: string,
): ArrivalDecision {
  const { settings } = input
  const recipient = newRecipient(address)
  const authentication = pastAuthentication(input, snapshot, message, address)
  const authenticated = { ...message, ...(authentication && { authentication }) }
  const now = new Date(message.receivedAt)
  const [verdict] = evaluate({ snapshot, settings, message: authenticated, recipients: [recipient], now })
  if (verdict === undefined) throw new Error('a recipient has no verdict')
  return verdict.action === 'Deliver'
    ? { kind: 'Deliver', verdict, message: authenticated, snapshot }
    : { kind: 'Decided', result: resultOf(verdict, input.snapshot) }
}

/** A verdict without an attempt. */
function resultOf({ action, reason, connectors }: Exclude<Verdict, Deliver>, snapshot: Snapshot): Determined {
  const connector = reason.startsWith('Inbound') ? connectors.inbound : null
  const outcome = action === 'Defer' ? 'Held' : 'Bounced'
  return { outcome, reason, connector, level: levelOf(snapshot, connector) }
}

/** The results of DMARC, if the message is authenticated under these connectors; undefined if it is not. */
function pastAuthentication(
  { facts, settings, assume }: DryRunInput,
  snapshot: Snapshot,
  message: Message,
  address: string,
): MessageAuthentication | undefined {
  const { requiringDmarc } = snapshot
  if (requiringDmarc.Enforce.length === 0) return undefined
  const job = { recipients: [newRecipient(address)], notBefore: null }
  const need = authenticationNeed(snapshot, message, job, settings.postmaster)
  const isAuthenticated =
    need.kind === 'Authenticate' ||
    (need.kind === 'None' &&
      message.source !== null &&
      facts.hasOtherRecipients &&
      assume({
        key: 'authentication for another recipient',
        sentence: 'A message is also authenticated because of its other recipients.',
        values: [false, true],
      }))
  return isAuthenticated
    ? { ...noResults, at: facts.at, dmarc: pastDmarc(facts, snapshot, assume) }
    : undefined
}

const noResults = { internal: null, spf: null, dkim: [], arc: null, fields: '' }

function pastDmarc(
  { arrival: { dmarc, fromDomain } }: MailFacts,
  { requiringDmarc }: Snapshot,
  assume: Assume,
): NonNullable<MessageAuthentication['dmarc']> {
  const unused = { policy: null, alignedBy: [] }
  if (dmarc !== undefined) return { result: dmarc, fromDomain: fromDomain ?? null, ...unused }
  const sentence = 'The message was not authenticated, so the events hold no result of DMARC.'
  const result = assume({ key: 'dmarc', sentence, values: ['pass', 'fail', 'temperror'] as const })
  const domains = requiringDmarc.Enforce.flatMap(({ connector }) =>
    connector.senderDomains.flatMap(examplesOf),
  )
  const values = [null, ...new Set([...domains, 'other.invalid'])]
  const key = `domain of From: among ${values.join(' ')}`
  return { result, fromDomain: result === 'pass' ? null : assume({ key, sentence, values }), ...unused }
}

/** Domains that stand for all that the pattern matches. */
function examplesOf(pattern: string): string[] {
  if (pattern === '*') return []
  return pattern.startsWith('*.') ? [pattern.slice(2), pattern.replace('*', 'any')] : [pattern]
}
