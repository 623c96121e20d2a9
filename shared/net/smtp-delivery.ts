/**
 * One attempt by SMTP. It tries the next hops in order until one begins a mail transaction. A failure before the
 * transaction (no connection, no TLS, a missing extension) leads to the next hop; a reply within it ends the attempt.
 */
import { isIP } from 'node:net'
import type { TlsRequirement } from '../contract/jobs.ts'
import type { Attempt, AttemptTls, Message, Recipient, Reply } from '../contract/message.ts'
import { clientCertificateSecret } from '../contract/secrets.ts'
import type { TlsResult } from '../contract/tls-result.ts'
import { domainOf } from '../mail/address.ts'
import { inOneLine } from '../mail/peer-words.ts'
import { reply } from '../mail/reply.ts'
import { waivesTls } from '../mail/tls-required.ts'
import {
  decideHop,
  type HopDecision,
  heedsPublished,
  type MtaSts,
  noMtaSts,
  type SenderWish,
  serverNameFor,
} from '../policy/transport-security.ts'
import {
  asksForVerification,
  forcesTls,
  type HopRequirement,
  type TlsFault,
  type Trial,
} from '../tls/requirement.ts'
import { resultOfUndemanded, type ServerTls } from '../tls/server-certificate.ts'
import { traitsOf } from './esmtp.ts'
import { outcomeOf } from './failures.ts'
import type { SessionOptions, Timeouts } from './gated-connection.ts'
import {
  findNextHops,
  type NextHop,
  type NextHops,
  type RoutingOptions,
  type SmtpRoute,
} from './next-hops.ts'
import type { Resolver } from './resolver.ts'
import type { Carrier, Opened } from './sessions.ts'
import { openSession } from './smtp-session.ts'
import type { ClientCredentials } from './tls-client.ts'

/** An attempt's result for one recipient, without number and times. */
export type Outcome = Omit<Attempt, 'number' | 'at' | 'durationMs'>

/** By recipient address. */
export type Outcomes = Map<string, Outcome>

export interface Mail {
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
  mtaSts: MtaSts
  enforced: HopRequirement
  trials: readonly Trial[]
  /** Null for a host to which no session was opened. */
  tls: ServerTls | null
  result: TlsResult
  /** The fault, for people. */
  reason: string | null
}

export interface SmtpOptions extends Omit<RoutingOptions, 'dane'> {
  /** The name in EHLO. */
  name: string
  resolver: Resolver
  timeouts: Timeouts
  /** Returns the domain's published policy (RFC 8461). Never throws. */
  mtaSts(domain: string, signal: AbortSignal): Promise<MtaSts>
  /** @throws Error with a message that follows the secret's name and says why it cannot be used */
  credentials(name: string): Promise<ClientCredentials>
  /** As in SessionOptions. */
  revocation?: SessionOptions['revocation']
  /** Called for each session, and for each host that its policy excludes. */
  record?(session: SessionRecord): void
  /** `openSession` by default. The last argument: whether the session must not have carried a message. */
  open?(hop: NextHop, options: SessionOptions, anew?: boolean): Promise<Opened>
  /** `findNextHops` by default. */
  find?: typeof findNextHops
  /** The attempt's limit. */
  signal: AbortSignal
}

/** Never throws for a failure of the network or of a server. */
export function deliverBySmtp(route: SmtpRoute, mail: Mail, options: SmtpOptions): Promise<Outcomes> {
  const find = options.find ?? findNextHops
  return deliver(
    (dane) => find(route, options.resolver, { ...options, dane }),
    mail,
    optionsFor(route, options),
  )
}

/** A recipient domain's policy does not apply to an administrator's smart hosts, so it is not fetched. */
export const optionsFor = <O extends Pick<SmtpOptions, 'mtaSts'>>({ kind }: SmtpRoute, options: O): O =>
  kind === 'Mx' ? options : { ...options, mtaSts: async () => noMtaSts }

/** Like `deliverBySmtp`, with known next hops. */
export function deliverOver(hops: readonly NextHop[], mail: Mail, options: SmtpOptions): Promise<Outcomes> {
  return deliver(async () => ({ kind: 'Found', hops: [...hops] }), mail, options)
}

/** What all hops of an attempt share. */
export interface AttemptPlan {
  wish: SenderWish
  /** The recipients' domain. */
  domain: string
  /** Which published policies apply. */
  heeds: { dane: boolean; mtaSts: boolean }
  mtaSts: MtaSts
  credentials: ClientCredentials | null
}

interface Attempting {
  mail: Mail
  plan: AttemptPlan
  options: SmtpOptions
}

async function deliver(find: Finding, mail: Mail, options: SmtpOptions): Promise<Outcomes> {
  const [recipients, unsendable] = partition(mail.recipients, ({ address }) => fitsCommand(address))
  const refused = toEach(unsendable, nowhere(mail.tls, reply(501, '5.1.3', 'Address cannot be sent by SMTP')))
  if (recipients.length === 0) return refused
  return new Map([...refused, ...(await tryHops(find, { ...mail, recipients }, options))])
}

type Finding = (dane: boolean) => Promise<NextHops>

async function tryHops(find: Finding, mail: Mail, options: SmtpOptions): Promise<Outcomes> {
  const { message, recipients, tls } = mail
  const everywhere = (answer: Reply) => deliverNowhere(mail, answer)
  if (!fitsCommand(message.envelope.mailFrom))
    return everywhere(reply(501, '5.1.7', "Sender's address cannot be sent by SMTP"))
  const wish = wishOf(mail)
  const { dane } = heedsPublished(tls, wish)
  const [found, plan] = await Promise.all([find(dane), planAttempt(mail, options, wish)])
  if (found.kind === 'NotFound') return everywhere(found.reply)
  if ('kind' in plan) return everywhere(plan.reply)
  const failures: Outcome[] = []
  for (const hop of found.hops) {
    const tried = await tryHop(hop, { mail, plan, options })
    if (tried instanceof Map) return tried
    failures.push(tried)
    if (options.signal.aborted) break
  }
  return toEach(recipients, conclude(failures))
}

/** Collects what the decision about the first host needs. Never throws. */
export async function planAttempt(
  mail: Mail,
  options: SmtpOptions,
  wish = wishOf(mail),
): Promise<AttemptPlan | { kind: 'Failed'; reply: Reply }> {
  const { tls, recipients } = mail
  const heeds = heedsPublished(tls, wish)
  const domain = domainOf(recipients[0]?.address ?? '') ?? ''
  const [mtaSts, credentials] = await Promise.all([
    heeds.mtaSts ? options.mtaSts(domain, options.signal) : noMtaSts,
    credentialsFor(tls, options),
  ])
  if (credentials instanceof Error) return { kind: 'Failed', reply: unusable(tls, credentials) }
  return { wish, domain, heeds, mtaSts, credentials }
}

function wishOf({ message, content }: Pick<Mail, 'message' | 'content'>): SenderWish {
  const { requireTls, mailFrom } = message.envelope
  return { requireTls, tlsRequiredNo: waivesTls(content), isNotification: mailFrom === '' }
}

function unusable({ clientCertificate }: TlsRequirement, { message }: Error): Reply {
  const secret = clientCertificateSecret(clientCertificate ?? '')
  return reply(451, '4.3.5', `The secret ${secret} with the connector's client certificate ${message}`)
}

async function credentialsFor(
  { clientCertificate }: TlsRequirement,
  options: SmtpOptions,
): Promise<ClientCredentials | Error | null> {
  if (clientCertificate === null) return null
  return options.credentials(clientCertificate).catch((error: Error) => error)
}

/**
 * The outcome when no hop began a transaction. Unmet TLS comes first, since an administrator must act on it. A
 * temporary failure comes next, since that hop may still accept the message; else the last refusal counts.
 */
export function conclude(failures: readonly Outcome[]): Outcome {
  const order = ['TlsNotMet', 'TemporaryFailure', 'PermanentFailure']
  const worst = order.find((outcome) => failures.some((failure) => failure.outcome === outcome))
  const found = failures.findLast(({ outcome }) => outcome === worst)
  if (found === undefined) throw new Error('an attempt without a next hop has no failure to conclude from')
  return found
}

async function tryHop(hop: NextHop, attempting: Attempting): Promise<Outcomes | Outcome> {
  const { mail, plan } = attempting
  const decision = decideHop(mail.tls, plan.wish, { ...hop, domain: plan.domain }, plan.mtaSts)
  const at = placeOf(hop, decision)
  if (decision.kind === 'Refuse') {
    record(attempting, hop, decision, { tls: null, result: decision.fault.result, fault: decision.fault })
    const { outcome, fault } = decision
    return { ...at, tls: null, tlsResult: fault.result, reportOnly: null, outcome, reply: fault.reply }
  }
  const over = (anew: boolean) => tryOver(hop, decision, anew, attempting)
  const tried = await over(false)
  return tried === 'NotBegun' ? ((await over(true)) as Outcomes | Outcome) : tried
}

/** `NotBegun`: a session that had carried other messages did not begin this transaction. */
async function tryOver(
  hop: NextHop,
  decision: Extract<HopDecision, { kind: 'Try' }>,
  anew: boolean,
  attempting: Attempting,
): Promise<Outcomes | Outcome | 'NotBegun'> {
  const { mail, plan, options } = attempting
  const at = placeOf(hop, decision)
  const opening = await open(hop, sessionFor(hop, decision, plan, options), anew, options)
  if (opening.kind === 'Failed') {
    const outcome = outcomeOf(opening.reply)
    return { ...at, tls: null, tlsResult: null, reportOnly: null, outcome, reply: opening.reply }
  }
  const failed = opening.kind === 'TlsNotMet' ? opening.fault : null
  const tried = opening.kind === 'Admitted' ? opening.tried : null
  // A report-only fault is the result only when nothing is enforced.
  const fault = failed ?? (forcesTls(decision.enforced) ? null : tried)
  const tlsResult = fault?.result ?? resultOfUndemanded(opening.tls)
  // RFC 8460 counts sessions, not messages.
  if (!opening.known) record(attempting, hop, decision, { tls: opening.tls, result: tlsResult, fault })
  const tls = attemptTls(opening.tls, decision, failed, tried)
  if (opening.kind === 'TlsNotMet')
    return { ...at, tls, tlsResult, reportOnly: null, outcome: 'TlsNotMet', reply: opening.fault.reply }
  const reportOnly = tried?.reply ?? null
  const taken = await transact(opening.session, mail, { ...at, tls, tlsResult, reportOnly })
  return taken.notBegun && opening.known ? 'NotBegun' : taken.outcomes
}

const open = (hop: NextHop, session: SessionOptions, anew: boolean, options: SmtpOptions): Promise<Opened> =>
  options.open ? options.open(hop, session, anew) : openSession(hop, session)

const placeOf = (hop: NextHop, decision: HopDecision) => ({
  host: hop.host,
  ip: hop.ip,
  policy: decision.enforced.level,
  policySource: decision.enforced.source,
  onTrial: (decision.kind === 'Try' && decision.trials[0]?.requirement.level) || null,
})

export function sessionFor(
  hop: NextHop,
  { enforced, trials }: Extract<HopDecision, { kind: 'Try' }>,
  { domain, credentials }: AttemptPlan,
  { name, timeouts, signal, revocation }: SmtpOptions,
): SessionOptions {
  const serverName = isIP(hop.host) ? null : serverNameFor({ ...hop, domain })
  const session = { name, timeouts, signal, enforced, trials, serverName, credentials }
  return revocation ? { ...session, revocation } : session
}

function record(
  { plan: { domain, mtaSts }, options }: Attempting,
  hop: NextHop,
  decision: HopDecision,
  { tls, result, fault }: { tls: ServerTls | null; result: TlsResult; fault: TlsFault | null },
): void {
  const trials = decision.kind === 'Try' ? decision.trials : []
  const reason = fault?.reply.text ?? null
  options.record?.({ domain, hop, mtaSts, enforced: decision.enforced, trials, tls, result, reason })
}

async function transact(
  session: Carrier,
  { message, recipients, content }: Mail,
  common: Omit<Outcome, 'outcome' | 'reply'>,
): Promise<{ outcomes: Outcomes | Outcome; notBegun: boolean }> {
  const traits = traitsOf(message.envelope, recipients, content)
  try {
    const refusal = session.refuses(traits)
    if (refusal)
      return {
        outcomes: { ...common, outcome: outcomeOf(refusal), reply: refusal },
        notBegun: false,
      }
    const { replies, notBegun, unanswered } = await session.send(traits, recipients, content)
    const encrypted = common.tls !== null
    const judged = [...replies].map(([address, answer]): [string, Outcome] => [
      address,
      {
        ...common,
        dsnPassedOn: session.passesDsnOn,
        ...(unanswered.includes(address) && { unanswered: true }),
        ...judge(answer, encrypted),
      },
    ])
    return { outcomes: new Map(judged), notBegun }
  } finally {
    session.close()
  }
}

/** RFC 3207 §4: 530 in the clear requires TLS. Opportunistic TLS that failed may succeed in a later attempt. */
function judge(answer: Reply, encrypted: boolean): Pick<Outcome, 'outcome' | 'reply'> {
  if (answer.code < 300) return { outcome: 'Delivered', reply: answer }
  const held = !encrypted && answer.code === 530
  const kept = held
    ? reply(451, '4.7.0', `Next hop requires TLS, which could not be established: ${answer.text}`)
    : answer
  return { outcome: outcomeOf(kept), reply: kept }
}

function attemptTls(
  tls: ServerTls,
  { enforced, trials }: Extract<HopDecision, { kind: 'Try' }>,
  failed: TlsFault | null,
  tried: TlsFault | null,
): AttemptTls | null {
  if (tls.kind !== 'Established') return null
  const { protocol, cipher, group, fingerprint256 } = tls
  const watched = tried === null && trials.some(({ requirement }) => asksForVerification(requirement))
  const verified = failed === null && (asksForVerification(enforced) || watched)
  const notVerified = verified ? null : ((failed ?? tried)?.reply.text ?? whyNotVerified(tls.trustError))
  const { revocation } = tls
  return {
    ...{ protocol, cipher, group, verified, notVerified, fingerprint256 },
    ...(revocation && { revocation: { ...revocation, detail: inOneLine(revocation.detail, longestDetail) } }),
  }
}

/** Characters of the revocation detail in the trace. */
const longestDetail = 300

const whyNotVerified = (trustError: string | null): string =>
  trustError === null ? 'Not required' : `Not required; the certificate would not be trusted: ${trustError}`

/** Excludes characters that would end the path, the command or the line. */
function fitsCommand(address: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return !/[\x00-\x1f\x7f<>]|^\s|\s$/.test(address)
}

/** The outcome without any next hop. */
export const deliverNowhere = (
  { recipients, tls }: Pick<Mail, 'recipients' | 'tls'>,
  answer: Reply,
): Outcomes => toEach(recipients, nowhere(tls, answer))

function nowhere(tls: TlsRequirement, answer: Reply): Outcome {
  return { ...withoutSession(tls), host: null, outcome: outcomeOf(answer), reply: answer }
}

/** The TLS fields of an outcome without a session. */
export const withoutSession = ({ level }: TlsRequirement): Omit<Outcome, 'host' | 'outcome' | 'reply'> => ({
  ip: null,
  tls: null,
  policy: level,
  policySource: level === 'Opportunistic' ? 'Opportunistic' : 'Connector',
  onTrial: null,
  tlsResult: null,
  reportOnly: null,
})

const toEach = (recipients: readonly Recipient[], outcome: Outcome): Outcomes =>
  new Map(recipients.map(({ address }) => [address, outcome]))

function partition<T>(items: readonly T[], belongs: (item: T) => boolean): [T[], T[]] {
  return [items.filter(belongs), items.filter((item) => !belongs(item))]
}
