/**
 * What inbound connectors say of a message. The attack: mail in a partner's name that did not come from the
 * partner, or came in the clear. The defence: the partner's connector demands TLS, a certificate or an address,
 * and mail that does not meet it is not accepted; relay is granted only to what an OnPremises connector
 * identifies. The ingress asks at RCPT TO, evaluate-policy asks again: both call the same function.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { ClientCertificate, Reply, TlsFacts } from '../contract/message.ts'
import { domainOf } from '../mail/address.ts'
import { domainMatchesPattern } from '../mail/domain.ts'
import { reply } from '../mail/reply.ts'
import { chainsTo } from '../tls/chain.ts'
import { anyNameMatches, presentedNames } from '../tls/names.ts'
import type { Reason } from './reasons.ts'
import { addressInRanges, type InboundRule, matchesByDomain, type Snapshot } from './snapshot.ts'

export interface Session {
  ip: string
  tls: TlsFacts
  /** Reverse path; empty for a DSN. */
  mailFrom: string
  /** When the session took place: the instant for which certificates must be valid. */
  at: Date
}

export interface Violation {
  reason: Reason
  /** What the peer hears in session. */
  inSession: Reply
  /** What a DSN says later. */
  postQueue: Reply
  explanation: string
}

export interface InboundJudgement {
  /** The Partner connector for the sender's domain: the one that is enforced, or else the one that only reports. */
  partner: InboundConnector | null
  /** The OnPremises connector that identifies the peer as our own organisation. */
  attributedTo: InboundConnector | null
  /** The demand that is not met and must be. */
  violation: ConnectorViolation | null
  /** The demand that is not met, of a connector that only reports. */
  reported: ConnectorViolation | null
  /** The reverse path names something that is no domain, so no connector can be asked. */
  unreadableSender: boolean
}

export type ConnectorViolation = Violation & { connector: InboundConnector }

/**
 * A Partner connector restricts, an OnPremises connector grants; what restricts wins. The partner is the one
 * with the most specific sender domain, then the most restrictions, then the first name. One that only reports
 * never takes the place of one that is enforced: the two are looked for apart.
 */
export function judgeInbound(snapshot: Snapshot, session: Session): InboundJudgement {
  const { clientCertificate } = session.tls
  const peer: Peer = { ...session, names: clientCertificate ? presentedNames(clientCertificate) : [] }
  const domain = domainOf(session.mailFrom)
  const partners = [...matchesByDomain(snapshot.partners, domain)]
  const enforced = partners.find(({ connector }) => connector.mode === 'Enforce') ?? null
  const trial = partners.find(({ connector }) => connector.mode === 'ReportOnly') ?? null
  const attributedTo = attribute(snapshot.onPremises, peer, domain)
  const violations = [enforced, trial, attributedTo].flatMap((rule) => {
    const violation = rule && findViolation(rule, peer)
    return violation ? [{ ...violation, connector: rule.connector }] : []
  })
  return {
    partner: (enforced ?? trial)?.connector ?? null,
    attributedTo: attributedTo?.connector ?? null,
    violation: violations.find(({ connector }) => connector.mode === 'Enforce') ?? null,
    reported: violations.find(({ connector }) => connector.mode === 'ReportOnly') ?? null,
    unreadableSender: domain === null && !hasNoDomain(session.mailFrom),
  }
}

/** The null reverse path and address literals (RFC 5321 §4.1.3) belong to no domain, and rightly so. */
const hasNoDomain = (mailFrom: string): boolean => mailFrom === '' || /@\[[^\]]*\]$/.test(mailFrom)

/** A session with its certificate's names read. */
interface Peer extends Session {
  names: readonly string[]
}

/** Certificate first, then address, as Exchange attributes mail of a hybrid organisation. */
function attribute(rules: readonly InboundRule[], peer: Peer, domain: string | null): InboundRule | null {
  // A server that is identified may send DSNs, whose reverse path belongs to no domain.
  const candidates = rules.filter(
    ({ connector }) =>
      peer.mailFrom === '' ||
      connector.senderDomains.some((pattern) =>
        domain === null ? pattern === '*' : domainMatchesPattern(domain, pattern),
      ),
  )
  return (
    candidates.find(({ connector }) => identifies(connector, peer)) ??
    candidates.find(({ ranges }) => addressInRanges(peer.ip, ranges)) ??
    null
  )
}

function findViolation({ connector, ranges }: InboundRule, peer: Peer): Violation | null {
  const { tls } = peer
  if (connector.requireTls && !tls.negotiated) return tlsMissing(connector)
  if (connector.requireTls && connector.minimumTlsVersion === 'TLSv1.3' && tls.protocol !== 'TLSv1.3')
    return tlsTooOld(connector, tls.protocol)
  if (connector.restrictDomainsToCertificate && !identifies(connector, peer))
    return certificateRestricted(connector, tls.clientCertificate)
  if (connector.restrictDomainsToIpAddresses && !addressInRanges(peer.ip, ranges))
    return addressRestricted(connector, peer.ip)
  return null
}

/** Whether the client certificate is the one a connector names: pinned, or trusted and of the right name. */
function identifies(connector: InboundConnector, { tls, names, at }: Peer): boolean {
  const certificate = tls.clientCertificate
  if (certificate === null) return false
  if (at < new Date(certificate.notBefore) || at > new Date(certificate.notAfter)) return false
  if (connector.certificateFingerprints.includes(certificate.fingerprint256)) return true
  if (!anyNameMatches(names, connector.tlsSenderCertificateNames)) return false
  return connector.certificateAuthorities.length > 0
    ? chainsTo(certificate.chain, connector.certificateAuthorities, at)
    : certificate.trusted
}

function tlsMissing(connector: InboundConnector): Violation {
  return {
    reason: 'InboundTlsRequired',
    // RFC 3207 §4
    inSession: reply(530, '7.0', 'Must issue a STARTTLS command first'),
    postQueue: reply(550, '7.10', 'Encryption needed'),
    explanation: `Connector "${connector.name}" requires TLS and the message came without it.`,
  }
}

function tlsTooOld(connector: InboundConnector, protocol: string | null): Violation {
  const needed = reply(550, '7.10', 'Encryption needed: TLSv1.3 or later')
  return {
    reason: 'InboundTlsVersion',
    inSession: needed,
    postQueue: needed,
    explanation: `Connector "${connector.name}" requires TLSv1.3 and the message came over ${protocol}.`,
  }
}

const restricted = reply(550, '7.51', 'Sender domain is restricted to its own servers')

function certificateRestricted(
  connector: InboundConnector,
  certificate: ClientCertificate | null,
): Violation {
  const expected = [...connector.tlsSenderCertificateNames, ...connector.certificateFingerprints]
  const listed = expected.slice(0, 3).join(', ')
  const more = expected.length > 3 ? ` and ${expected.length - 3} more` : ''
  return {
    reason: 'InboundCertificateRestriction',
    inSession: restricted,
    postQueue: restricted,
    explanation: `Connector "${connector.name}" accepts only the certificate ${listed}${more}; ${describe(certificate)}.`,
  }
}

function addressRestricted(connector: InboundConnector, ip: string): Violation {
  return {
    reason: 'InboundAddressRestriction',
    inSession: restricted,
    postQueue: restricted,
    explanation: `Connector "${connector.name}" accepts only its listed addresses; the message came from ${ip}.`,
  }
}

function describe(certificate: ClientCertificate | null): string {
  if (certificate === null) return 'none was presented'
  const trust = certificate.trusted ? 'trusted' : `not publicly trusted: ${certificate.trustError}`
  const subject = certificate.subject.slice(0, 200)
  const issuer = certificate.issuer.slice(0, 200)
  return `presented was ${subject}, valid until ${certificate.notAfter}, issued by ${issuer} (${trust})`
}
