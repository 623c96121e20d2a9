/**
 * One attempt over SMTP. It tries the next hops in order until a mail transaction begins with one of them. A failure
 * before the transaction (no connection, no TLS, a missing extension) leads to the next hop. After a transaction, even
 * a failed one, the attempt tries no further hop.
 */
import { isIP } from 'node:net'
import type { TlsRequirement } from '../contract/jobs.ts'
import type { Attempt, AttemptTls, Message, Recipient, Reply } from '../contract/message.ts'
import { clientCertificateSecret } from '../contract/secrets.ts'
import type { TlsResult } from '../contract/tls-result.ts'
import { domainOf } from '../mail/address.ts'
import { toSingleLine } from '../mail/peer-text.ts'
import { reply } from '../mail/reply.ts'
import { waivesTls } from '../mail/waives-tls.ts'
import { type MtaStsState, noMtaSts, type SenderRequest } from '../policy/hop-facts.ts'
import { requiredLevel } from '../policy/mandatory-policies.ts'
import {
  decideHop,
  type HopDecision,
  isWaived,
  serverNameFor,
  usesPublishedPolicies,
} from '../policy/transport-security.ts'
import { type ServerTls, unrequiredTlsResult } from '../tls/assess-server-tls.ts'
import {
  forcesTls,
  type HopRequirement,
  type ReportOnlyRequirement,
  requiresVerification,
  type TlsFault,
} from '../tls/requirement.ts'
import { trustAnchorsDigest } from '../tls/trust-anchors-digest.ts'
import type { AttemptBudget } from './attempt-budget.ts'
import type { BatchOpening, LentSession } from './batch-sessions.ts'
import { traitsOf } from './esmtp.ts'
import {
  findNextHops,
  type NextHop,
  type NextHopsResult,
  type RoutingOptions,
  type SmtpRoute,
} from './next-hops.ts'
import type { Resolver } from './resolver.ts'
import type { SessionOptions, SmtpTimeouts } from './smtp/connection.ts'
import type { Transaction } from './smtp/transaction-replies.ts'
import { outcomeOf } from './smtp-faults.ts'
import { openSession } from './smtp-session.ts'
import type { ClientCredentials } from './tls-client.ts'

/** An attempt's result for one recipient, without number and times. */
export interface Outcome extends Omit<Attempt, 'number' | 'at' | 'durationMs'> {
  /** Amazon SES throttled the request and has not accepted the message. */
  isThrottled?: boolean
}

/** The outcomes by recipient address. */
export type Outcomes = Map<string, Outcome>

export interface OutboundMessage {
  message: Pick<Message, 'envelope'>
  recipients: readonly Recipient[]
  /** The stored octets, ready to send. */
  content: Buffer
  tls: TlsRequirement
}

/** The TLS result of one session or host, the input of a TLS report (RFC 8460). */
export interface SessionRecord {
  /** The recipients' domain. */
  domain: string
  hop: NextHop
  mtaSts: MtaStsState
  enforced: HopRequirement
  reportOnly: readonly ReportOnlyRequirement[]
  /** Null for a host to which no session was opened. */
  tls: ServerTls | null
  result: TlsResult
  /** Human-readable text of the fault. */
  reason: string | null
}

export interface SmtpDeliveryOptions extends Omit<RoutingOptions, 'dane'> {
  /** The name in EHLO. */
  ehloName: string
  resolver: Resolver
  timeouts: SmtpTimeouts
  /** Returns the domain's published policy (RFC 8461). Never throws. */
  mtaSts(domain: string, signal: AbortSignal): Promise<MtaStsState>
  /** @throws Error whose message continues a sentence that begins with the secret's name */
  readCredentials(name: string): Promise<ClientCredentials>
  /** The stack that has the secrets of client certificates; for messages. @default `defaultStackName` */
  stackName?: string
  /** The `checkRevocation` of SessionOptions. */
  checkRevocation?: SessionOptions['checkRevocation']
  /** The hosts at which BDAT failed lately; none by default. Its functions never throw. */
  chunkingFaults?: { has(host: string): Promise<boolean>; add(host: string): Promise<void> } | undefined
  /** Called for each new session whose TLS was assessed, and for each host to which policies permit no session. */
  recordSession?(session: SessionRecord): void
  /** `openSession` by default. The last argument: whether the session must not have carried a message. */
  open?(hop: NextHop, options: SessionOptions, mustBeNew?: boolean): Promise<BatchOpening>
  /** `findNextHops` by default. */
  find?: typeof findNextHops
  /** Aborts at the end of the batch's time. */
  signal: AbortSignal
  /** Limits the attempt's own time. */
  budget?: AttemptBudget | undefined
}

/** Never throws for a failure of the network or of a server. */
export function deliverOverSmtp(
  route: SmtpRoute,
  mail: OutboundMessage,
  options: SmtpDeliveryOptions,
): Promise<Outcomes> {
  const find = options.find ?? findNextHops
  return deliver(
    (dane) => find(route, options.resolver, { ...options, dane }),
    mail,
    withoutMtaStsForSmartHosts(route, options),
  )
}

/** A recipient domain's policy does not apply to an administrator's smart hosts, so it is not fetched. */
export const withoutMtaStsForSmartHosts = <O extends Pick<SmtpDeliveryOptions, 'mtaSts'>>(
  { kind }: SmtpRoute,
  options: O,
): O => (kind === 'Mx' ? options : { ...options, mtaSts: async () => noMtaSts })

/** Delivers to next hops that the caller has found. Never throws for a failure of the network or of a server. */
export function deliverToHops(
  hops: readonly NextHop[],
  mail: OutboundMessage,
  options: SmtpDeliveryOptions,
): Promise<Outcomes> {
  return deliver(async () => ({ kind: 'Found', hops: [...hops] }), mail, options)
}

/** Properties that all hops of an attempt share. */
export interface AttemptPlan {
  senderRequest: SenderRequest
  /** The recipients' domain. */
  domain: string
  /** Which published policies apply. */
  publishedPolicies: { dane: boolean; mtaSts: boolean }
  mtaSts: MtaStsState
  credentials: ClientCredentials | null
}

interface AttemptContext {
  mail: OutboundMessage
  plan: AttemptPlan
  options: SmtpDeliveryOptions
  /** Number of next hops. */
  nextHops: number
}

async function deliver(
  findHops: FindHops,
  mail: OutboundMessage,
  options: SmtpDeliveryOptions,
): Promise<Outcomes> {
  const [recipients, unsendable] = partition(mail.recipients, ({ address }) => isSafeInCommand(address))
  const refused = forEachRecipient(
    unsendable,
    outcomeWithoutHop(mail.tls, reply(501, '5.1.3', 'Address cannot be sent over SMTP')),
  )
  if (recipients.length === 0) return refused
  return new Map([...refused, ...(await tryHops(findHops, { ...mail, recipients }, options))])
}

type FindHops = (dane: boolean) => Promise<NextHopsResult>

async function tryHops(
  findHops: FindHops,
  mail: OutboundMessage,
  options: SmtpDeliveryOptions,
): Promise<Outcomes> {
  const { message, recipients, tls } = mail
  const outcomesWithReply = (answer: Reply) => outcomesWithoutHop(mail, answer)
  if (!isSafeInCommand(message.envelope.mailFrom))
    return outcomesWithReply(reply(501, '5.1.7', "Sender's address cannot be sent over SMTP"))
  const senderRequest = senderRequestOf(mail)
  const { dane } = usesPublishedPolicies(tls, senderRequest)
  const [hopsResult, plan] = await Promise.all([findHops(dane), planAttempt(mail, options, senderRequest)])
  if (hopsResult.kind === 'NotFound') return outcomesWithReply(hopsResult.reply)
  if ('kind' in plan) return outcomesWithReply(plan.reply)
  const failures: Outcome[] = []
  for (const hop of hopsResult.hops) {
    const result = await tryHop(hop, { mail, plan, options, nextHops: hopsResult.hops.length })
    if (result instanceof Map) return result
    failures.push(result)
    if (options.signal.aborted || options.budget?.signal.aborted) break
  }
  return forEachRecipient(recipients, selectOutcome(failures))
}

/** Collects the inputs of the decision about a hop. Never throws. */
export async function planAttempt(
  mail: OutboundMessage,
  options: SmtpDeliveryOptions,
  senderRequest = senderRequestOf(mail),
): Promise<AttemptPlan | { kind: 'Failed'; reply: Reply }> {
  const { tls, recipients } = mail
  const publishedPolicies = usesPublishedPolicies(tls, senderRequest)
  const domain = domainOf(recipients[0]?.address ?? '') ?? ''
  const [mtaSts, credentials] = await Promise.all([
    publishedPolicies.mtaSts ? options.mtaSts(domain, options.signal) : noMtaSts,
    credentialsFor(tls, options),
  ])
  if (credentials instanceof Error)
    return { kind: 'Failed', reply: credentialsReply(tls, credentials, options) }
  return { senderRequest, domain, publishedPolicies, mtaSts, credentials }
}

function senderRequestOf({ message, content }: Pick<OutboundMessage, 'message' | 'content'>): SenderRequest {
  const { requireTls, mailFrom } = message.envelope
  return { requireTls, tlsRequiredNo: waivesTls(content), isNotification: mailFrom === '' }
}

function credentialsReply(
  { clientCertificate }: TlsRequirement,
  { message }: Error,
  { stackName }: SmtpDeliveryOptions,
): Reply {
  const secret = clientCertificateSecret(clientCertificate ?? '', stackName)
  return reply(451, '4.3.5', `The secret ${secret} with the connector's client certificate ${message}`)
}

async function credentialsFor(
  { clientCertificate }: TlsRequirement,
  options: SmtpDeliveryOptions,
): Promise<ClientCredentials | Error | null> {
  if (clientCertificate === null) return null
  return options.readCredentials(clientCertificate).catch((error: Error) => error)
}

/**
 * The outcome when no transaction began. An unmet TLS requirement comes first, because an administrator must act on it.
 * A temporary failure comes next, because that hop may still accept the message. Otherwise the outcome is a refusal. Of
 * several outcomes of one kind, that of the last hop is selected.
 */
export function selectOutcome(failures: readonly Outcome[]): Outcome {
  const order = ['TlsNotMet', 'TemporaryFailure', 'PermanentFailure']
  const worst = order.find((outcome) => failures.some((failure) => failure.outcome === outcome))
  const selected = failures.findLast(({ outcome }) => outcome === worst)
  if (selected === undefined) throw new Error('an attempt without a next hop has no failure')
  return selected
}

async function tryHop(hop: NextHop, context: AttemptContext): Promise<Outcomes | Outcome> {
  const { mail, plan } = context
  const decision = decideHop(mail.tls, plan.senderRequest, { ...hop, domain: plan.domain }, plan.mtaSts)
  const fields = hopFields(hop, decision, context)
  if (decision.kind === 'Refuse') {
    recordSession(context, hop, decision, { tls: null, result: decision.fault.result, fault: decision.fault })
    const { outcome, fault } = decision
    return { ...fields, tls: null, tlsResult: fault.result, reportOnly: null, outcome, reply: fault.reply }
  }
  let choice: SessionChoice = { mustBeNew: false, avoidsChunking: false }
  for (;;) {
    const result = await tryOverSession(hop, decision, choice, context)
    if (result === 'NotBegun') choice = { ...choice, mustBeNew: true }
    else if (result === 'ChunkingRefused') choice = { mustBeNew: true, avoidsChunking: true }
    else return result
  }
}

interface SessionChoice {
  /** Whether the session must not have carried a message. */
  mustBeNew: boolean
  /** Whether DATA is used although the host announces CHUNKING. */
  avoidsChunking: boolean
}

/**
 * `NotBegun`: the transaction failed at MAIL in a session opened for an earlier message; a new session may succeed.
 * `ChunkingRefused`: the server does not implement BDAT; a new session with DATA may succeed.
 */
async function tryOverSession(
  hop: NextHop,
  decision: Extract<HopDecision, { kind: 'Try' }>,
  { mustBeNew, avoidsChunking }: SessionChoice,
  context: AttemptContext,
): Promise<Outcomes | Outcome | 'NotBegun' | 'ChunkingRefused'> {
  const { mail, plan, options } = context
  const fields = hopFields(hop, decision, context)
  const sessionOptions = sessionOptionsFor(hop, decision, plan, options)
  if (avoidsChunking) sessionOptions.avoidsChunking = async () => true
  const opening = await open(hop, sessionOptions, mustBeNew, options)
  if (opening.kind === 'Failed') {
    const outcome = outcomeOf(opening.reply)
    return { ...fields, tls: null, tlsResult: null, reportOnly: null, outcome, reply: opening.reply }
  }
  const enforcedFault = opening.kind === 'TlsNotMet' ? opening.fault : null
  const reportOnlyFault = opening.kind === 'Admitted' ? opening.reportOnlyFault : null
  // A report-only fault decides the TLS result only when no TLS is enforced.
  const fault = enforcedFault ?? (forcesTls(decision.enforced) ? null : reportOnlyFault)
  const tlsResult = fault?.result ?? unrequiredTlsResult(opening.tls)
  // A TLS report (RFC 8460) counts sessions, not messages.
  if (!opening.isFromEarlier)
    recordSession(context, hop, decision, { tls: opening.tls, result: tlsResult, fault })
  const tls = toAttemptTls(opening.tls, decision, enforcedFault, reportOnlyFault)
  if (opening.kind === 'TlsNotMet')
    return { ...fields, tls, tlsResult, reportOnly: null, outcome: 'TlsNotMet', reply: opening.fault.reply }
  const reportOnly = reportOnlyFault?.reply ?? null
  const common = { ...fields, tls, tlsResult, reportOnly }
  const { outcomes, isNotBegun, chunkingFault } = await runTransaction(
    opening.session,
    mail,
    common,
    options.budget,
  )
  if (chunkingFault) await options.chunkingFaults?.add(hop.host)
  if (chunkingFault === 'Refused') return 'ChunkingRefused'
  return isNotBegun && opening.isFromEarlier ? 'NotBegun' : outcomes
}

const open = (
  hop: NextHop,
  session: SessionOptions,
  mustBeNew: boolean,
  options: SmtpDeliveryOptions,
): Promise<BatchOpening> => (options.open ? options.open(hop, session, mustBeNew) : openSession(hop, session))

const hopFields = (hop: NextHop, decision: HopDecision, { plan, nextHops }: AttemptContext) => ({
  host: hop.host,
  ip: hop.ip,
  policy: decision.enforced.level,
  policySource: decision.enforced.source,
  ...(requiresNewest(decision.enforced) && { requiredTlsVersion: 'TLSv1.3' as const }),
  ...(isWaived(plan.senderRequest) && { tlsRequiredNo: true as const }),
  ...(nextHops > 1 && { nextHops }),
  reportOnlyLevel: (decision.kind === 'Try' && decision.reportOnlyRequirements[0]?.requirement.level) || null,
})

const requiresNewest = (enforced: HopRequirement): boolean =>
  forcesTls(enforced) && enforced.minimumTlsVersion === 'TLSv1.3'

export function sessionOptionsFor(
  hop: NextHop,
  { enforced, reportOnlyRequirements: reportOnly }: Extract<HopDecision, { kind: 'Try' }>,
  { domain, credentials }: AttemptPlan,
  { ehloName, timeouts, signal, budget, checkRevocation, chunkingFaults }: SmtpDeliveryOptions,
): SessionOptions {
  const serverName = isIP(hop.host) ? null : serverNameFor({ ...hop, domain })
  const attemptSignal = budget?.signal
  const session = { ehloName, timeouts, signal, attemptSignal, enforced, reportOnly, serverName, credentials }
  return {
    ...session,
    ...(checkRevocation && { checkRevocation }),
    ...(chunkingFaults && { avoidsChunking: (host: string) => chunkingFaults.has(host) }),
  }
}

function recordSession(
  { plan: { domain, mtaSts }, options }: AttemptContext,
  hop: NextHop,
  decision: HopDecision,
  { tls, result, fault }: { tls: ServerTls | null; result: TlsResult; fault: TlsFault | null },
): void {
  const reportOnly = decision.kind === 'Try' ? decision.reportOnlyRequirements : []
  const reason = fault?.reply.text ?? null
  options.recordSession?.({
    domain,
    hop,
    mtaSts,
    enforced: decision.enforced,
    reportOnly,
    tls,
    result,
    reason,
  })
}

async function runTransaction(
  session: LentSession,
  { message, recipients, content }: OutboundMessage,
  common: Omit<Outcome, 'outcome' | 'reply'>,
  budget: AttemptBudget | undefined,
): Promise<{ outcomes: Outcomes | Outcome } & Pick<Transaction, 'isNotBegun' | 'chunkingFault'>> {
  const traits = traitsOf(message.envelope, recipients, content)
  try {
    const refusal = session.findRefusal(traits)
    if (refusal)
      return {
        outcomes: { ...common, outcome: outcomeOf(refusal), reply: refusal },
        isNotBegun: false,
        chunkingFault: null,
      }
    const { replies, unanswered, ...faults } = await session.send(traits, recipients, content, budget)
    const isEncrypted = common.tls !== null
    const outcomeEntries = [...replies].map(([address, answer]): [string, Outcome] => [
      address,
      {
        ...common,
        dsnPassedOn: session.supportsDsn,
        ...(unanswered.includes(address) && { unanswered: true }),
        ...toOutcome(answer, isEncrypted),
      },
    ])
    return { outcomes: new Map(outcomeEntries), ...faults }
  } finally {
    session.close()
  }
}

/**
 * RFC 3207 §4: with the reply 530 in the clear, the server requires TLS. Opportunistic TLS that failed may succeed in a
 * later attempt, so the failure is temporary.
 */
function toOutcome(answer: Reply, isEncrypted: boolean): Pick<Outcome, 'outcome' | 'reply'> {
  if (answer.code < 300) return { outcome: 'Delivered', reply: answer }
  const isTlsRequired = !isEncrypted && answer.code === 530
  const finalReply = isTlsRequired
    ? reply(451, '4.7.0', `Next hop requires TLS, which could not be established: ${answer.text}`)
    : answer
  return { outcome: outcomeOf(finalReply), reply: finalReply }
}

function toAttemptTls(
  tls: ServerTls,
  { enforced, reportOnlyRequirements: reportOnly }: Extract<HopDecision, { kind: 'Try' }>,
  enforcedFault: TlsFault | null,
  reportOnlyFault: TlsFault | null,
): AttemptTls | null {
  if (tls.kind !== 'Established') return null
  const { protocol, cipher, group, fingerprint256 } = tls
  const [certificate] = tls.certificates
  const isReportOnlyVerified =
    reportOnlyFault === null && reportOnly.some(({ requirement }) => requiresVerification(requirement))
  const verified = enforcedFault === null && (requiresVerification(enforced) || isReportOnlyVerified)
  const notVerified = verified
    ? null
    : ((enforcedFault ?? reportOnlyFault)?.reply.text ?? notVerifiedReason(tls.trustError))
  const { revocation } = tls
  return {
    ...{ protocol, cipher, group, verified, notVerified, fingerprint256 },
    ...(revocation && {
      revocation: { ...revocation, detail: toSingleLine(revocation.detail, maxDetailLength) },
    }),
    ...(certificate && {
      certificate: {
        names: certificate.subjectAltNames,
        ...(tls.names.subjectAltNames.length === 0 &&
          tls.names.commonName !== null && { commonName: tls.names.commonName }),
        issuer: certificate.issuer,
        verdict: tls.trustError === null ? 'trusted' : toSingleLine(tls.trustError, maxDetailLength),
        ...(tls.trustedBy.length > 0 && { trustAnchors: trustAnchorsDigest(tls.trustedBy) }),
      },
    }),
  }
}

/** Limit of the revocation detail in the trace, in characters. */
const maxDetailLength = 300

const notVerifiedReason = (trustError: string | null): string =>
  trustError === null ? 'Not required' : `Not required; the certificate would not be trusted: ${trustError}`

/** Whether the address has no character that would end the path, the command or the line. */
export function isSafeInCommand(address: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are refused
  return !/[\x00-\x1f\x7f<>]|^\s|\s$/.test(address)
}

/** The outcome of an attempt that tried no next hop. */
export const outcomesWithoutHop = (
  { recipients, tls }: Pick<OutboundMessage, 'recipients' | 'tls'>,
  answer: Reply,
): Outcomes => forEachRecipient(recipients, outcomeWithoutHop(tls, answer))

function outcomeWithoutHop(tls: TlsRequirement, answer: Reply): Outcome {
  return { ...fieldsWithoutSession(tls), host: null, outcome: outcomeOf(answer), reply: answer }
}

/** The TLS fields of an outcome without a session. */
export function fieldsWithoutSession(tls: TlsRequirement): Omit<Outcome, 'host' | 'outcome' | 'reply'> {
  const policy = requiredLevel(tls)
  return {
    ip: null,
    tls: null,
    policy,
    policySource: policy === 'Opportunistic' ? 'Opportunistic' : 'Connector',
    reportOnlyLevel: null,
    tlsResult: null,
    reportOnly: null,
  }
}

const forEachRecipient = (recipients: readonly Recipient[], outcome: Outcome): Outcomes =>
  new Map(recipients.map(({ address }) => [address, outcome]))

/** Returns the items that belong, and the others. */
export function partition<T>(items: readonly T[], belongs: (item: T) => boolean): [T[], T[]] {
  return [items.filter(belongs), items.filter((item) => !belongs(item))]
}
