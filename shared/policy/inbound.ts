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
import { certificateHasName } from '../tls/names.ts'
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
  /** The Partner connector for the sender's domain. */
  partner: InboundConnector | null
  /** The OnPremises connector that identifies the peer as our own organisation. */
  attributedTo: InboundConnector | null
  /** The demand that is not met and must be. */
  violation: ConnectorViolation | null
  /** The demand that is not met, of a connector that only reports. */
  reported: ConnectorViolation | null
}

export type ConnectorViolation = Violation & { connector: InboundConnector }

/**
 * A Partner connector restricts, an OnPremises connector grants; what restricts wins. The partner is the one
 * with the most specific sender domain, then the most restrictions, then the first name.
 */
export function judgeInbound(snapshot: Snapshot, session: Session): InboundJudgement {
  const domain = domainOf(session.mailFrom)
  const partner = matchesByDomain(snapshot.partners, domain).next().value ?? null
  const attributedTo = attribute(snapshot.onPremises, session, domain)
  const violations = [partner, attributedTo].flatMap((rule) => {
    const violation = rule && findViolation(rule, session)
    return violation ? [{ ...violation, connector: rule.connector }] : []
  })
  return {
    partner: partner?.connector ?? null,
    attributedTo: attributedTo?.connector ?? null,
    violation: violations.find(({ connector }) => connector.mode === 'Enforce') ?? null,
    reported: violations.find(({ connector }) => connector.mode === 'ReportOnly') ?? null,
  }
}

/** Certificate first, then address, as Exchange attributes mail of a hybrid organisation. */
function attribute(
  rules: readonly InboundRule[],
  session: Session,
  domain: string | null,
): InboundRule | null {
  // The null reverse path belongs to no domain, so a server that is identified may send DSNs.
  const candidates = rules.filter(
    ({ connector }) =>
      domain === null || connector.senderDomains.some((pattern) => domainMatchesPattern(domain, pattern)),
  )
  return (
    candidates.find(({ connector }) => identifies(connector, session.tls.clientCertificate, session.at)) ??
    candidates.find(({ ranges }) => addressInRanges(session.ip, ranges)) ??
    null
  )
}

function findViolation({ connector, ranges }: InboundRule, session: Session): Violation | null {
  const { tls } = session
  if (connector.requireTls && !tls.negotiated) return tlsMissing(connector)
  if (connector.requireTls && connector.minimumTlsVersion === 'TLSv1.3' && tls.protocol !== 'TLSv1.3')
    return tlsTooOld(connector, tls.protocol)
  if (connector.restrictDomainsToCertificate && !identifies(connector, tls.clientCertificate, session.at))
    return certificateRestricted(connector, tls.clientCertificate)
  if (connector.restrictDomainsToIpAddresses && !addressInRanges(session.ip, ranges))
    return addressRestricted(connector, session.ip)
  return null
}

/** Whether a client certificate is the one a connector names: pinned, or trusted and of the right name. */
export function identifies(
  connector: InboundConnector,
  certificate: ClientCertificate | null,
  at: Date,
): boolean {
  if (certificate === null) return false
  if (at < new Date(certificate.notBefore) || at > new Date(certificate.notAfter)) return false
  if (connector.certificateFingerprints.includes(certificate.fingerprint256)) return true
  if (!certificateHasName(certificate, connector.tlsSenderCertificateNames)) return false
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
  const expected = [...connector.tlsSenderCertificateNames, ...connector.certificateFingerprints].join(', ')
  return {
    reason: 'InboundCertificateRestriction',
    inSession: restricted,
    postQueue: restricted,
    explanation: `Connector "${connector.name}" accepts only the certificate ${expected}; ${describe(certificate)}.`,
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
  return `presented was ${certificate.subject}, valid until ${certificate.notAfter}, issued by ${certificate.issuer} (${trust})`
}
