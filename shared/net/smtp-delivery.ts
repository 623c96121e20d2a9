/**
 * One attempt by SMTP: the next hops in their order until one takes part in a mail transaction. What happened
 * before a transaction (no connection, no TLS, not the extensions the message needs) lets the next hop try; what
 * a hop answers within a transaction is final for the attempt.
 */
import type { Route, TlsRequirement } from '../contract/jobs.ts'
import type { Attempt, AttemptTls, Message, Recipient, Reply } from '../contract/message.ts'
import { isPermanent, reply } from '../mail/reply.ts'
import type { ServerTls } from '../tls/server-certificate.ts'
import { traitsOf } from './esmtp.ts'
import { outcomeOf } from './failures.ts'
import { findNextHops, type NextHop, type NextHops, type RoutingOptions } from './next-hops.ts'
import type { Resolver } from './resolver.ts'
import { openSession, type SmtpSession, type Timeouts } from './smtp-session.ts'

/** An attempt's result for one recipient, before it is numbered and timed. */
export type Outcome = Pick<Attempt, 'outcome' | 'host' | 'ip' | 'tls' | 'policy' | 'reportOnly' | 'reply'>

/** By address. */
export type Outcomes = Map<string, Outcome>

export interface Mail {
  message: Pick<Message, 'envelope'>
  recipients: readonly Recipient[]
  /** The stored octets, as they are to leave. */
  content: Buffer
  tls: TlsRequirement
}

export interface SmtpOptions extends RoutingOptions {
  /** The name in EHLO. */
  name: string
  resolver: Resolver
  timeouts: Timeouts
  /** The attempt's limit. */
  signal: AbortSignal
}

/** Never throws for what a network or a server does. */
export function deliverBySmtp(
  route: Exclude<Route, { kind: 'Ses' }>,
  mail: Mail,
  options: SmtpOptions,
): Promise<Outcomes> {
  return deliver(() => findNextHops(route, options.resolver, options), mail, options)
}

/** As `deliverBySmtp`, once the next hops are known. */
export function deliverOver(hops: readonly NextHop[], mail: Mail, options: SmtpOptions): Promise<Outcomes> {
  return deliver(async () => ({ kind: 'Found', hops: [...hops] }), mail, options)
}

async function deliver(find: () => Promise<NextHops>, mail: Mail, options: SmtpOptions): Promise<Outcomes> {
  const tls = requirementFor(mail)
  const [recipients, unsendable] = partition(mail.recipients, ({ address }) => fitsCommand(address))
  const refused = toEach(unsendable, nowhere(tls, reply(501, '1.3', 'Address cannot be sent by SMTP')))
  if (recipients.length === 0) return refused
  return new Map([...refused, ...(await tryHops(find, { ...mail, recipients, tls }, options))])
}

async function tryHops(find: () => Promise<NextHops>, mail: Mail, options: SmtpOptions): Promise<Outcomes> {
  const { message, recipients, tls } = mail
  if (!fitsCommand(message.envelope.mailFrom))
    return toEach(recipients, nowhere(tls, reply(501, '1.7', "Sender's address cannot be sent by SMTP")))
  const found = await find()
  if (found.kind === 'NotFound') return toEach(recipients, nowhere(tls, found.reply))
  const failures: Outcome[] = []
  for (const hop of found.hops) {
    const tried = await tryHop(hop, mail, options)
    if (tried instanceof Map) return tried
    failures.push(tried)
    if (options.signal.aborted) break
  }
  return toEach(recipients, conclude(failures))
}

/**
 * What to report when no hop took part: TLS that was not met, since that is what an administrator has to act on;
 * else what may pass, since one hop that is merely away may still take the message; else the last refusal.
 */
export function conclude(failures: readonly Outcome[]): Outcome {
  const order = ['TlsNotMet', 'TemporaryFailure', 'PermanentFailure']
  const worst = order.find((outcome) => failures.some((failure) => failure.outcome === outcome))
  const found = failures.findLast(({ outcome }) => outcome === worst)
  if (found === undefined) throw new Error('an attempt without a next hop has no failure to conclude from')
  return found
}

/**
 * RFC 8689 §4.2.1: REQUIRETLS asks for a verified certificate whatever the connector says. That the MX records
 * themselves are authentic, which it asks for too, can be shown by DNSSEC or MTA-STS only.
 */
function requirementFor({ message, tls }: Mail): TlsRequirement {
  if (!message.envelope.requireTls) return tls
  if (tls.mode === 'Enforce' && tls.level === 'DomainValidation') return tls
  return { ...tls, mode: 'Enforce', level: 'CertificateValidation', tlsDomain: null }
}

async function tryHop(hop: NextHop, mail: Mail, options: SmtpOptions): Promise<Outcomes | Outcome> {
  const at = { host: hop.host, ip: hop.ip, policy: mail.tls.level }
  const opening = await openSession(hop, { ...options, requirement: mail.tls })
  if (opening.kind === 'Failed')
    return { ...at, tls: null, reportOnly: null, outcome: outcomeOf(opening.reply), reply: opening.reply }
  if (opening.kind === 'TlsNotMet') {
    const tls = attemptTls(opening.tls, false)
    return { ...at, tls, reportOnly: null, outcome: 'TlsNotMet', reply: opening.reply }
  }
  const { reportOnly } = opening
  const tls = attemptTls(opening.tls, asksForVerification(mail.tls) && reportOnly === null)
  return transact(opening.session, mail, { ...at, tls, reportOnly })
}

async function transact(
  session: SmtpSession,
  { message, recipients, content }: Mail,
  common: Omit<Outcome, 'outcome' | 'reply'>,
): Promise<Outcomes | Outcome> {
  const traits = traitsOf(message.envelope, recipients, content)
  const refusal = session.refuses(traits)
  if (refusal) {
    session.close()
    return { ...common, outcome: outcomeOf(refusal), reply: refusal }
  }
  const replies = await session.send(traits, recipients, content)
  const encrypted = common.tls !== null
  return new Map(
    [...replies].map(([address, answer]) => [address, { ...common, ...judge(answer, encrypted) }]),
  )
}

/** RFC 3207 §4: 530 in the clear demands TLS; opportunistic TLS that did not work may work the next time. */
function judge(answer: Reply, encrypted: boolean): Pick<Outcome, 'outcome' | 'reply'> {
  if (answer.code < 300) return { outcome: 'Delivered', reply: answer }
  const held = !encrypted && answer.code === 530
  const kept = held ? reply(451, '7.0', `Next hop demands TLS, which did not work: ${answer.text}`) : answer
  return { outcome: outcomeOf(kept), reply: kept }
}

function attemptTls(tls: ServerTls, verified: boolean): AttemptTls | null {
  if (tls.kind !== 'Established') return null
  const { protocol, cipher, group, fingerprint256 } = tls
  return { protocol, cipher, group, verified, fingerprint256 }
}

const asksForVerification = ({ level }: TlsRequirement): boolean =>
  level === 'CertificateValidation' || level === 'DomainValidation'

/** Nothing that would end the path, the command or the line it stands in. */
function fitsCommand(address: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return !/[\x00-\x1f\x7f<>]|^\s|\s$/.test(address)
}

function nowhere({ level }: TlsRequirement, answer: Reply): Outcome {
  const outcome = isPermanent(answer) ? 'PermanentFailure' : 'TemporaryFailure'
  return { outcome, host: null, ip: null, tls: null, policy: level, reportOnly: null, reply: answer }
}

const toEach = (recipients: readonly Recipient[], outcome: Outcome): Outcomes =>
  new Map(recipients.map(({ address }) => [address, outcome]))

function partition<T>(items: readonly T[], belongs: (item: T) => boolean): [T[], T[]] {
  return [items.filter(belongs), items.filter((item) => !belongs(item))]
}
