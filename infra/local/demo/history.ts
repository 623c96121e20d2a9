/**
 * Generates the events of the demo's last seven days, so that reports, searches and dry runs have something to read. The
 * same hour of the week always has the same mail. The events have the columns from which a dry run decides, so that the
 * demo's connectors decide about this mail as its events say. Pure.
 */
import { encodeTime } from 'ulid'
import { hourMs } from '../../../shared/contract/durations.ts'
import type { MailEvent } from '../../../shared/contract/events.ts'
import { createEvent, createRejectedEvent, type EventFields } from '../../../shared/events/create-event.ts'
import { startOf } from '../../../shared/events/hours.ts'
import { trustAnchorsDigest } from '../../../shared/tls/trust-anchors-digest.ts'
import { authorityName } from '../certificates.ts'
import { mailboxName } from './partners.ts'
import { ourDomain } from './scenario.ts'

/** A connector of the demo, as far as events name it. */
export interface HistoryConnector {
  readonly id: string
  /** PEM. */
  readonly certificateAuthorities: readonly string[]
}

/** What the events have of the demo that runs. */
export interface DemoFacts {
  /** By name. */
  readonly connectors: ReadonlyMap<string, HistoryConnector>
  /** SHA-256 of the certificate that the mailbox server presents, as a client and as a server. */
  readonly mailboxFingerprint: string
}

interface Flow {
  readonly domain: string
  readonly direction: MailEvent['direction']
  /** Messages of this flow among all. */
  readonly weight: number
  /** Name of the partner's connector; absent: none. */
  readonly connector?: string
  /** Share of sessions with TLS 1.2; the others have TLS 1.3. Null: in the clear. */
  readonly tls12: number | null
  /** Who issued the certificate of the partner's server. Absent: the server has none, or receives no mail. */
  readonly issuer?: 'LocalAuthority' | 'Itself'
  readonly level?: MailEvent['requiredLevel']
  readonly source?: MailEvent['policySource']
}

const flows: readonly Flow[] = [
  { domain: 'bank.example', direction: 'Incoming', weight: 20, connector: 'From the bank', tls12: 0.1 },
  { domain: 'contoso.example', direction: 'Incoming', weight: 14, tls12: 0 },
  { domain: 'northwind.example', direction: 'Incoming', weight: 8, tls12: 1 },
  { domain: 'florist.example', direction: 'Incoming', weight: 3, tls12: null },
  {
    domain: 'bank.example',
    direction: 'Originating',
    weight: 22,
    connector: 'To the bank',
    tls12: 0.05,
    issuer: 'LocalAuthority',
    level: 'DomainValidation',
    source: 'Connector',
  },
  {
    domain: 'clinic.example',
    direction: 'Originating',
    weight: 9,
    connector: 'To the clinic',
    tls12: 0.6,
    issuer: 'Itself',
    level: 'EncryptionOnly',
    source: 'Connector',
  },
  {
    domain: 'vault.example',
    direction: 'Originating',
    weight: 4,
    connector: 'To the vault',
    tls12: 0,
    issuer: 'LocalAuthority',
    level: 'DomainValidation',
    source: 'Connector',
  },
  {
    domain: 'archive.example',
    direction: 'Originating',
    weight: 3,
    tls12: 0,
    issuer: 'Itself',
    level: 'Dane',
    source: 'Dane',
  },
  { domain: 'contoso.example', direction: 'Originating', weight: 12, tls12: 0, issuer: 'LocalAuthority' },
  { domain: 'workshop.example', direction: 'Originating', weight: 4, tls12: 0.3, issuer: 'Itself' },
  { domain: 'florist.example', direction: 'Originating', weight: 2, tls12: null },
]

/** Each flow as often as its weight. */
const flowsByWeight = flows.flatMap((flow) => Array.from({ length: flow.weight }, () => flow))

/** Messages of an hour of a working day, from midnight UTC. A Saturday and a Sunday have a tenth. */
const messagesByHour = [5, 4, 4, 4, 5, 8, 14, 32, 54, 62, 66, 58, 42, 56, 62, 60, 52, 38, 20, 13, 10, 9, 8, 6]

/** Refused messages among a thousand: the bank in the clear, and strangers that want to relay. */
const refusedInClear = 20
const refusedRelay = 25

/** The hours of the week. */
const hoursOfWeek = 7 * 24

/** @param hour `YYYY-MM-DDTHH` @returns its events in the order of time */
export function eventsOfHour(hour: string, facts: DemoFacts): MailEvent[] {
  const start = startOf(hour)
  const random = randomNumbers((start / hourMs) % hoursOfWeek)
  const date = new Date(start)
  const isWeekend = date.getUTCDay() % 6 === 0
  const messages = Math.ceil((messagesByHour[date.getUTCHours()] ?? 0) * (isWeekend ? 0.1 : 1))
  return Array.from({ length: messages }, (_, number) => {
    const at = start + Math.floor(((number + random()) * (hourMs - 10_000)) / messages)
    return eventsOfMail({ at, facts, random })
  })
    .flat()
    .sort((a, b) => (a.at < b.at ? -1 : 1))
}

interface Context {
  readonly at: number
  readonly facts: DemoFacts
  readonly random: () => number
}

function eventsOfMail(context: Context): MailEvent[] {
  const { random } = context
  const perThousand = random() * 1000
  if (perThousand < refusedInClear) return [refusedMail(context, inClear)]
  if (perThousand < refusedInClear + refusedRelay) return [refusedMail(context, relay)]
  return acceptedMail(pick(random, flowsByWeight), context)
}

const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const pick = <T>(random: () => number, list: ArrayLike<T>): T => list[Math.floor(random() * list.length)] as T
const ulidAt = (at: number, random: () => number): string =>
  encodeTime(at, 10) + Array.from({ length: 16 }, () => pick(random, letters)).join('')

const colleagues = ['ann', 'ben', 'clara', 'dev', 'elif', 'finn']
const people = ['accounts', 'desk', 'j.doe', 'maria', 'office', 'sam']

const cipherOf = { 'TLSv1.2': 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'TLSv1.3': 'TLS_AES_256_GCM_SHA384' }

function tlsColumns({ tls12 }: Pick<Flow, 'tls12'>, random: () => number) {
  if (tls12 === null) return {}
  const tlsVersion = random() < tls12 ? 'TLSv1.2' : 'TLSv1.3'
  return { tlsVersion, cipher: cipherOf[tlsVersion] } as const
}

function acceptedMail(flow: Flow, { at, facts, random }: Context): MailEvent[] {
  const { domain, direction, connector } = flow
  const isIncoming = direction === 'Incoming'
  const colleague = `${pick(random, colleagues)}@${ourDomain}`
  const person = `${pick(random, people)}@${domain}`
  const [sender, recipient] = isIncoming ? [person, colleague] : [colleague, person]
  const messageId = ulidAt(at, random)
  const time = (later: number) => new Date(at + later).toISOString()
  const common: Omit<EventFields, 'at'> = {
    messageId,
    headerMessageId: `<${messageId.toLowerCase()}@${isIncoming ? domain : ourDomain}>`,
    direction,
    sender,
    clientIp: isIncoming ? `192.0.2.${domain.length}` : '198.51.100.25',
    size: 1500 + Math.floor(random() ** 4 * 2_000_000),
  }
  const named = (name: string | undefined) => (name === undefined ? undefined : facts.connectors.get(name))
  const arrival = named(isIncoming ? connector : 'Our server')
  const departure = named(isIncoming ? 'Our mailboxes' : connector)
  const route = {
    recipient,
    mode: 'Enforce' as const,
    ...(departure && { outboundConnector: departure.id }),
  }
  return [
    createEvent('Accepted', [messageId], {
      ...common,
      at: time(0),
      partner: isIncoming ? domain : ourDomain,
      recipients: 1,
      helo: isIncoming ? `mx.${domain}` : mailboxName,
      ...(arrival && { inboundConnector: arrival.id, mode: 'Enforce', requiredLevel: 'EncryptionOnly' }),
      ...(isIncoming
        ? { ...tlsColumns(flow, random), dmarc: 'none', fromDomain: domain }
        : { ...tlsColumns({ tls12: 0 }, random), ...mailboxClient(facts, arrival) }),
    }),
    createEvent('Decided', [messageId, recipient, '00000#'], {
      ...common,
      ...route,
      at: time(30),
      partner: domain,
      ...(arrival && { inboundConnector: arrival.id }),
      decision: 'Deliver',
      reason: departure ? 'ConnectorMatched' : 'DefaultRoute',
      state: 'Pending',
    }),
    createEvent('Delivered', [messageId, recipient, 1], {
      ...common,
      ...route,
      ...(isIncoming ? mailboxSession(facts, departure, random) : partnerSession(flow, departure, random)),
      at: time(200 + Math.floor(random() * 3000)),
      partner: isIncoming ? ourDomain : domain,
      reply: '250 2.0.0 Message accepted',
      state: 'Delivered',
      attempt: 1,
      durationMs: 20 + Math.floor(random() * 900),
    }),
  ]
}

/** The verdict about a certificate of the local authority, which is no public root. */
const notPublic = 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
const selfSigned = 'DEPTH_ZERO_SELF_SIGNED_CERT'

/** The columns of the certificate by which a connector identifies the mailbox server as a client. */
const mailboxClient = (
  { mailboxFingerprint }: DemoFacts,
  connector: HistoryConnector | undefined,
): Partial<EventFields> => ({
  clientCertificateSha256: mailboxFingerprint,
  clientCertificateNames: mailboxName,
  clientCertificateSubject: `CN=${mailboxName}`,
  clientCertificateIssuer: `CN=${authorityName}`,
  clientCertificateVerdict: notPublic,
  clientAuth: true,
  revocation: 'Good',
  ...anchorsOf(connector),
})

const anchorsOf = (connector: HistoryConnector | undefined): Pick<EventFields, 'trustAnchors'> =>
  connector && connector.certificateAuthorities.length > 0
    ? { trustAnchors: trustAnchorsDigest(connector.certificateAuthorities) }
    : {}

const mailboxSession = (
  { mailboxFingerprint }: DemoFacts,
  connector: HistoryConnector | undefined,
  random: () => number,
): Partial<EventFields> => ({
  ...tlsColumns({ tls12: 0 }, random),
  requiredLevel: 'DomainValidation',
  policySource: 'Connector',
  host: mailboxName,
  route: `${mailboxName}:25`,
  group: 'X25519MLKEM768',
  ...serverColumns({ host: mailboxName, issuer: 'LocalAuthority', level: 'DomainValidation', connector }),
  serverCertificateSha256: mailboxFingerprint,
})

interface Server {
  readonly host: string
  readonly issuer: NonNullable<Flow['issuer']>
  readonly level: NonNullable<Flow['level']>
  readonly connector: HistoryConnector | undefined
}

/** The columns of the certificate of a server, which meets the level. */
function serverColumns({ host, issuer, level, connector }: Server): Partial<EventFields> {
  const anchors = anchorsOf(connector)
  const isOfAuthority = issuer === 'LocalAuthority'
  const untrusted = isOfAuthority ? notPublic : selfSigned
  const verdict = isOfAuthority && anchors.trustAnchors !== undefined ? 'trusted' : untrusted
  const verified = level === 'DomainValidation' || level === 'Dane'
  return {
    verified,
    ...(!verified && {
      notVerifiedBecause: `Not required; the certificate would not be trusted: ${verdict}`,
    }),
    serverCertificateNames: host,
    serverCertificateIssuer: `CN=${isOfAuthority ? authorityName : host}`,
    serverCertificateVerdict: verdict,
    ...anchors,
    ...(level === 'DomainValidation' && { revocation: 'Good' }),
  }
}

function partnerSession(
  flow: Flow,
  connector: HistoryConnector | undefined,
  random: () => number,
): Partial<EventFields> {
  const { domain, level = 'Opportunistic', source = 'Opportunistic', tls12, issuer } = flow
  const host = `mx.${domain}`
  const tls = tlsColumns(flow, random)
  // Post-quantum key exchange is a part of TLS 1.3 only.
  const mayBePostQuantum = tls.tlsVersion === 'TLSv1.3'
  return {
    ...tls,
    requiredLevel: level,
    policySource: source,
    host,
    route: 'Mx',
    ...(tls12 === null
      ? { tlsResult: 'starttls-not-supported' as const }
      : { group: random() < 0.5 && mayBePostQuantum ? 'X25519MLKEM768' : 'x25519' }),
    ...(issuer && serverColumns({ host, issuer, level, connector })),
  }
}

const inClear = {
  connector: 'From the bank',
  domain: 'bank.example',
  reason: 'InboundTlsRequired',
  reply: '530 5.7.0 Must issue a STARTTLS command first',
}
const relay = {
  connector: null,
  domain: 'stranger.example',
  reason: 'RelayDenied',
  reply: '550 5.7.64 Relay access denied',
}

function refusedMail({ at, facts, random }: Context, kind: typeof inClear | typeof relay): MailEvent {
  const { connector, domain, reason, reply } = kind
  const inboundConnector = connector === null ? undefined : facts.connectors.get(connector)?.id
  return createRejectedEvent(ulidAt(at, random), {
    at: new Date(at).toISOString(),
    decision: 'Refuse',
    state: 'Rejected',
    stage: 'Rcpt',
    reason,
    reply,
    sender: `${pick(random, people)}@${domain}`,
    recipient: connector === null ? 'someone@elsewhere.example' : `${pick(random, colleagues)}@${ourDomain}`,
    partner: domain,
    direction: 'Incoming',
    helo: `mail.${domain}`,
    clientIp: `192.0.2.${domain.length}`,
    ...(inboundConnector && { inboundConnector, mode: 'Enforce', requiredLevel: 'EncryptionOnly' }),
  })
}

/** A generator of numbers from 0 to 1, the same for the same seed: a linear congruence. */
function randomNumbers(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
