/**
 * Builds the trace of a message, as the API shows it, from the items of its partition. The trace omits the content's
 * location, the added header fields and the raw certificate chain, which are internal. Pure.
 */
import * as z from 'zod'
import { ExchangeOnlineFields, MessageAuthentication } from '../contract/authentication.ts'
import { ConnectorName, DsnKind, SmartHost, TlsRequirement } from '../contract/jobs.ts'
import {
  Attempt,
  AttemptTls,
  ClientCertificate,
  Envelope,
  Message,
  PolicySource,
  type Reply,
  TlsFacts,
} from '../contract/message.ts'
import { TlsResult } from '../contract/tls-result.ts'
import { formatReply } from '../mail/reply.ts'
import { Considered } from '../policy/explain/considered.ts'
import { type KeptRequirement, LoweredField } from '../policy/kept-requirement.ts'
import { isRecipientKey, recipientOf } from './message-keys.ts'
import { unpackDetail } from './packed-detail.ts'
import {
  type AdministratorRequest,
  type Hold,
  isSettled,
  type RecipientDetail,
  type RecipientItem,
  requirementOf,
} from './recipient-item.ts'

export const RecipientStates = ['Pending', 'Delivered', 'Deferred', 'Bounced'] as const

const timestamp = z.iso.datetime()

const AttemptEntry = z.strictObject({
  number: z.int().positive(),
  at: timestamp.nullable(),
  outcome: z
    .enum([...Attempt.shape.outcome.options, 'InProgress'])
    .describe(
      "InProgress: the attempt has no result yet, until leaseUntil at the latest. TlsNotMet: the next hop's TLS did not satisfy the requirement, so no part of the message was sent",
    ),
  host: z.string().nullable().describe('Amazon SES, if SES delivers'),
  ip: z.string().nullable(),
  tls: AttemptTls.omit({ certificate: true })
    .nullable()
    .describe('null in the clear, before TLS, and through SES, which does not show its session'),
  policy: Attempt.shape.policy.nullable().describe('the level that was enforced'),
  policySource: PolicySource.nullable().describe('the source of that level; Opportunistic: none'),
  reportOnlyLevel: Attempt.shape.policy
    .nullable()
    .describe(
      'the level that was only reported: of a connector in ReportOnly mode, or of an MTA-STS policy in mode testing',
    ),
  tlsResult: TlsResult.nullable().describe('the result in a TLS report (RFC 8460 §4.3)'),
  reply: z.string().nullable().describe("the next hop's reply, or one that describes why there is none"),
  reportOnly: z.string().nullable().describe('the reply that enforcing reportOnlyLevel would have given'),
  durationMs: z.int().nullable(),
  leaseUntil: timestamp.nullable(),
})
type AttemptEntry = z.output<typeof AttemptEntry>

export const VerdictEntry = z.strictObject({
  action: z.enum(['Deliver', 'Defer', 'Bounce']),
  reason: z.string(),
  explanation: z.string().describe('the reason as a sentence'),
  connectors: z
    .strictObject({ inbound: z.string().nullable(), outbound: z.string().nullable() })
    .describe('ids of the connectors that decided'),
  reportOnly: z
    .string()
    .nullable()
    .describe('the violation that a connector in ReportOnly mode would have refused'),
  /** Time of the decision, and the connectors' version behind it; null in entries of an earlier release. */
  at: timestamp.nullable(),
  connectorsVersion: z
    .int()
    .nonnegative()
    .nullable()
    .describe('number of changes of connectors and accepted domains before the decision'),
  reply: z.string().nullable().describe('the reply in a DSN; null for a delivery'),
  considered: z.array(Considered).describe('in order of evaluation, inbound connectors first'),
  lowered: z
    .array(LoweredField)
    .describe(
      'fields in which the current connectors require less than the kept requirement, which then applies; connector: none matches',
    ),
})

const RequirementEntry = z.strictObject({
  connector: ConnectorName,
  since: timestamp.describe('time of the decision'),
  route: z.enum(['Mx', 'SmartHosts', 'Ses']),
  smartHosts: z.array(SmartHost),
  ...TlsRequirement.pick({
    level: true,
    tlsDomain: true,
    minimumTlsVersion: true,
    revocationCheck: true,
    smtpDaneMode: true,
    mtaStsMode: true,
  }).shape,
})

const AdministratorRequestEntry = z.strictObject({
  at: timestamp,
  by: z.string().describe('IAM principal, or subject of the token'),
  reason: z.string().nullable().describe("the administrator's reason; null if none was given"),
})

const RecipientEntry = z.strictObject({
  address: z.string(),
  state: z.enum(RecipientStates),
  verdict: VerdictEntry.nullable().describe('the last decision; null before the first'),
  until: timestamp.nullable().describe('when a deferred recipient gets the next decision'),
  givenUpAt: timestamp.nullable().describe('when it bounces unless something changes'),
  firstHeld: z
    .strictObject({ at: timestamp, reason: z.string(), explanation: z.string() })
    .nullable()
    .describe('the first time that a connector held it, whatever happened later'),
  requirement: RequirementEntry.nullable().describe(
    'what the connector of its first decision with forced TLS required of the next hop; later decisions never require less',
  ),
  released: AdministratorRequestEntry.nullable().describe(
    'the request to deliver it despite the violation of an inbound connector',
  ),
  returned: AdministratorRequestEntry.nullable().describe('the request to bounce it'),
  dropped: AdministratorRequestEntry.nullable().describe('the request to bounce it without a DSN'),
  attempts: z.array(AttemptEntry),
  attemptsOmitted: z.int().nonnegative().describe('number of older attempts that are not shown'),
  notifications: z
    .array(
      z.strictObject({
        kind: DsnKind,
        message: z.string().nullable(),
        state: z.enum(RecipientStates).nullable(),
      }),
    )
    .describe(
      "DSNs to the sender: message is the DSN's id, null while it is being sent; state is its own state",
    ),
})
type RecipientEntry = z.output<typeof RecipientEntry>

export const TraceEntry = z.strictObject({
  id: z.string(),
  receivedAt: timestamp,
  direction: Message.shape.direction,
  attributedTo: z.string().nullable(),
  source: Message.shape.source.describe('the client; null for a DSN or TLS report of this gateway'),
  tls: TlsFacts.extend({ clientCertificate: ClientCertificate.omit({ chain: true }).nullable() }).describe(
    'the session in which the message arrived',
  ),
  envelope: z.strictObject({ ...Envelope.shape, rcptTo: z.array(z.string()) }),
  headerMessageId: z.string().nullable().describe('field Message-ID; null if there is none'),
  size: z.int().nonnegative().describe('octets'),
  exchangeOnline: ExchangeOnlineFields.nullable().describe(
    'what the message shows of a tenant of Exchange Online; null if no connector asked for it',
  ),
  authentication: MessageAuthentication.omit({ fields: true })
    .nullable()
    .describe('SPF, DKIM, DMARC and ARC; null if the message was not authenticated'),
  recipients: z.array(RecipientEntry),
})
export type TraceEntry = z.output<typeof TraceEntry>

/** An item of a message's partition. */
export interface TraceItem extends Omit<RecipientItem, 'result'> {
  /** The packed result of an attempt; the result of a claim on a DSN is not packed. */
  result?: Uint8Array | { dsn: string | null }
}

/**
 * Maximum number of attempts in the entry of one message: about 3 MB of JSON, well below the limit of a Lambda
 * response.
 */
const maxAttemptsShown = 8000

/**
 * @param items the items of the message's partition, without the message
 * @param requirements the kept requirements to which the items refer, by digest
 */
export function traceEntry(
  message: Message,
  items: readonly TraceItem[],
  requirements: ReadonlyMap<string, KeptRequirement>,
): TraceEntry {
  const attempts = groupByAddress(items, 'attempt#', attemptOf)
  const notifications = groupByAddress(items, 'dsn#', notificationOf)
  const recipients = items.filter(({ sk }) => isRecipientKey(sk))
  const maxShown = Math.ceil(maxAttemptsShown / Math.max(1, recipients.length))
  return {
    ...messageFields(message),
    envelope: { ...message.envelope, rcptTo: recipients.map(recipientOf) },
    recipients: recipients.map((item) => {
      const address = recipientOf(item)
      const allAttempts = withLastAttempt(attempts.get(address) ?? [], item)
      return {
        address,
        ...decisionFields(item),
        requirement: requirementEntry(item, requirements),
        released: requestEntry(item.waived),
        returned: requestEntry(item.returned),
        dropped: requestEntry(item.dropped),
        attempts: allAttempts.slice(-maxShown),
        attemptsOmitted: Math.max(0, allAttempts.length - maxShown),
        notifications: notifications.get(address) ?? [],
      }
    }),
  }
}

function decisionFields(
  item: TraceItem,
): Pick<RecipientEntry, 'state' | 'verdict' | 'until' | 'givenUpAt' | 'firstHeld'> {
  const detail = item.detail === undefined ? null : (unpackDetail(item.detail) as RecipientDetail)
  // The write of `Delivered` does not change the detail.
  const { until = null, givenUpAt = null } = isSettled(item) ? {} : (detail ?? {})
  return {
    state: item.state ?? 'Pending',
    verdict: detail?.verdict ?? null,
    until,
    givenUpAt,
    firstHeld: item.firstHeld === undefined ? null : (unpackDetail(item.firstHeld) as Hold),
  }
}

function requirementEntry(
  item: TraceItem,
  requirements: ReadonlyMap<string, KeptRequirement>,
): RecipientEntry['requirement'] {
  const reference = requirementOf(item)
  const requirement = requirements.get(reference?.digest ?? '')
  if (reference === null || requirement === undefined) return null
  const { connector, route, smartHosts, tls } = requirement
  const { level, tlsDomain, minimumTlsVersion, revocationCheck, smtpDaneMode, mtaStsMode } = tls
  const fields = { level, tlsDomain, minimumTlsVersion, revocationCheck, smtpDaneMode, mtaStsMode }
  return { connector, since: reference.since, route, smartHosts, ...fields }
}

const requestEntry = (request: AdministratorRequest | undefined): RecipientEntry['released'] =>
  request === undefined ? null : { at: request.at, by: request.by, reason: request.reason ?? null }

function messageFields(message: Message) {
  const { id, receivedAt, direction, attributedTo, source, tls, size } = message
  const { headerMessageId = null, exchangeOnline = null } = message
  const facts = {
    id,
    receivedAt,
    direction,
    attributedTo,
    source,
    tls: omitChain(tls),
    headerMessageId,
    size,
  }
  return { ...facts, exchangeOnline, authentication: omitFields(message.authentication) }
}

function omitFields(authentication: Message['authentication']): TraceEntry['authentication'] {
  if (authentication === undefined) return null
  const { fields: _fields, ...results } = authentication
  return results
}

function omitChain(tls: TlsFacts): TraceEntry['tls'] {
  if (tls.clientCertificate === null) return { ...tls, clientCertificate: null }
  const { chain: _chain, ...clientCertificate } = tls.clientCertificate
  return { ...tls, clientCertificate }
}

/** Groups by recipient address the items whose sort key has the prefix, each group in the order of the sort key. */
function groupByAddress<T>(
  items: readonly TraceItem[],
  prefix: string,
  read: (item: TraceItem) => { address: string; value: T },
): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    if (!item.sk.startsWith(prefix)) continue
    const { address, value } = read(item)
    groups.set(address, [...(groups.get(address) ?? []), value])
  }
  return groups
}

/** `attempt#ADDRESS#00001`; the address may contain a `#`. */
function attemptOf({ sk, detail }: TraceItem): { address: string; value: AttemptEntry } {
  const address = sk.slice('attempt#'.length, sk.lastIndexOf('#'))
  return { address, value: endedAttempt(unpackDetail(detail ?? new Uint8Array()) as Attempt) }
}

/** Adds the attempt that the recipient's item has, unless it has an item of its own. */
function withLastAttempt(
  attempts: readonly AttemptEntry[],
  { claimed, holder, leaseUntil, result }: TraceItem,
): AttemptEntry[] {
  if (claimed === undefined || attempts.some(({ number }) => number >= claimed)) return [...attempts]
  if (result !== undefined) return [...attempts, endedAttempt(unpackDetail(result as Uint8Array) as Attempt)]
  // A released attempt was not made.
  if (holder === undefined || leaseUntil === undefined) return [...attempts]
  return [
    ...attempts,
    { ...inProgressAttempt, number: claimed, leaseUntil: new Date(leaseUntil).toISOString() },
  ]
}

const inProgressAttempt = {
  at: null,
  outcome: 'InProgress',
  host: null,
  ip: null,
  tls: null,
  policy: null,
  policySource: null,
  reportOnlyLevel: null,
  tlsResult: null,
  reply: null,
  reportOnly: null,
  durationMs: null,
} as const

function endedAttempt(ended: Attempt): AttemptEntry {
  const { dsnPassedOn: _, unanswered: _u, lost: _l, ...shown } = ended
  const { requiredTlsVersion: _v, tlsRequiredNo: _n, nextHops: _h, ...attempt } = shown
  const { certificate: _c, ...tls } = attempt.tls ?? {}
  return {
    ...attempt,
    tls: attempt.tls && (tls as AttemptEntry['tls']),
    reply: formatReply(attempt.reply),
    reportOnly: formatOptionalReply(attempt.reportOnly),
    leaseUntil: null,
  }
}

const formatOptionalReply = (reply: Reply | null): string | null =>
  reply === null ? null : formatReply(reply)

/** `dsn#KIND#ADDRESS` */
function notificationOf({ sk, result }: TraceItem) {
  const [, kind, ...address] = sk.split('#')
  const { dsn: message } = (result ?? { dsn: null }) as { dsn: string | null }
  return { address: address.join('#'), value: { kind: kind as DsnKind, message, state: null } }
}
