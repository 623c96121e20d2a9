/**
 * What inbound connectors say of a message. The attack: mail in a partner's name that did not come from the
 * partner, or came in the clear. The defence: the partner's connector demands TLS, a certificate or an address,
 * and mail that does not meet it is not accepted; relay is granted only to what an OnPremises connector
 * identifies. The ingress asks at RCPT TO, evaluate-policy asks again: both call the same function.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { TlsFacts } from '../contract/message.ts'
import { domainOf } from '../mail/address.ts'
import { identifies, isDoubtful, type Presented, present } from './client-certificate.ts'
import { bestPattern, specificity } from './order.ts'
import {
  compileRule,
  first,
  type InboundRule,
  matchesByDomain,
  type OnPremises,
  parentOf,
  type Snapshot,
} from './snapshot.ts'
import { findViolation, type Violation } from './violation.ts'

export interface Session {
  ip: string
  tls: TlsFacts
  /** Reverse path; empty for a DSN. */
  mailFrom: string
  /** When the session took place: the instant for which certificates must be valid. */
  at: Date
}

export interface InboundJudgement {
  /** The Partner connector for the sender's domain: the one that is enforced, or else the one that only reports. */
  partner: InboundConnector | null
  /** The Partner connector for the sender's domain that only reports. */
  trial: InboundConnector | null
  /** The OnPremises connector that identifies the peer as our own organisation. */
  attributedTo: InboundConnector | null
  /** The demand that is not met and must be. */
  violation: ConnectorViolation | null
  /** The demand that is not met, of a connector that only reports. */
  reported: ConnectorViolation | null
  /**
   * The OnPremises connector that would identify the peer, if it could be found out whether its certificate is revoked;
   * null when another does.
   */
  doubtful: InboundConnector | null
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
  const peer = peerOf(session)
  if (peer.domain === null && !hasNoDomain(session.mailFrom)) return { ...nobody, unreadableSender: true }
  const enforced = first(matchesByDomain(snapshot.partners.Enforce, peer.domain))
  const trial = first(matchesByDomain(snapshot.partners.ReportOnly, peer.domain))
  const attributedTo = attribute(snapshot.onPremises, peer)
  const violations = [enforced, trial, attributedTo].flatMap((rule) => {
    const violation = rule && findViolation(rule, peer)
    return violation ? [{ ...violation, connector: rule.connector }] : []
  })
  return {
    partner: (enforced ?? trial)?.connector ?? null,
    trial: trial?.connector ?? null,
    attributedTo: attributedTo?.connector ?? null,
    violation: violations.find(({ connector }) => connector.mode === 'Enforce') ?? null,
    reported: violations.find(({ connector }) => connector.mode === 'ReportOnly') ?? null,
    doubtful: attributedTo === null ? doubtfulOwner(snapshot.onPremises, peer) : null,
    unreadableSender: false,
  }
}

/** No connector takes part. */
export const nobody: InboundJudgement = {
  partner: null,
  trial: null,
  attributedTo: null,
  violation: null,
  reported: null,
  doubtful: null,
  unreadableSender: false,
}

/** What one connector demands of a session and does not get, whether or not it is enabled, enforced or selected. */
export function violationOf(connector: InboundConnector, session: Session): Violation | null {
  return findViolation(compileRule(connector, 0), peerOf(session))
}

/** How an OnPremises connector knows the peer of a session, or null when it does not. */
export function identifiedBy(
  connector: InboundConnector,
  session: Session,
): 'Certificate' | 'Address' | null {
  if (identifies(connector, peerOf(session).presented)) return 'Certificate'
  return compileRule(connector, 0).ranges.has(session.ip) ? 'Address' : null
}

/** The null reverse path and address literals belong to no domain, and rightly so. */
const hasNoDomain = (mailFrom: string): boolean => mailFrom === '' || addressLiteral.test(mailFrom)

/** RFC 5321 §4.1.3: an IPv4 address, or a tag, as `IPv6:`, and what it calls for. A name in brackets is none. */
const addressLiteral = /@\[(?:[\d.]+|[A-Za-z\d-]+:[^[\]\\]+)\]$/

/** A session with its sender and its certificate read. */
interface Peer extends Session {
  domain: string | null
  presented: Presented | null
}

const peerOf = (session: Session): Peer => ({
  ...session,
  domain: domainOf(session.mailFrom),
  presented: present(session.tls.clientCertificate, session.at),
})

/**
 * Certificate first, then address, as Exchange attributes mail of a hybrid organisation. One that only reports is
 * asked when no enforced one knows the peer, so that a trial relaxes nothing that is in force.
 */
function attribute(onPremises: OnPremises, peer: Peer): InboundRule | null {
  const known = [...knownByCertificate(onPremises, peer)]
  const atAddress = [...onPremises.byAddress.holding(peer.ip)]
  const by = (rules: InboundRule[], mode: InboundConnector['mode']) =>
    foremost(
      rules.filter(({ connector }) => connector.mode === mode),
      peer,
    )
  return (
    by(known, 'Enforce') ?? by(atAddress, 'Enforce') ?? by(known, 'ReportOnly') ?? by(atAddress, 'ReportOnly')
  )
}

/** The first that is enforced. */
function doubtfulOwner(onPremises: OnPremises, peer: Peer): InboundConnector | null {
  const { presented } = peer
  if (presented === null) return null
  const doubtful = [...candidates(onPremises, presented)].filter(
    ({ connector }) => connector.mode === 'Enforce' && isDoubtful(connector, presented),
  )
  return foremost(doubtful, peer)?.connector ?? null
}

/** Found by what the certificate holds, then asked: the index finds no connector that would not know it. */
function* knownByCertificate(onPremises: OnPremises, { presented }: Peer): Generator<InboundRule> {
  if (presented === null) return
  for (const rule of candidates(onPremises, presented)) if (identifies(rule.connector, presented)) yield rule
}

function* candidates({ byFingerprint, byName, byParent }: OnPremises, presented: Presented) {
  yield* byFingerprint.get(presented.certificate.fingerprint256) ?? []
  for (const name of presented.names) {
    yield* byName.get(name) ?? []
    // A wildcard on either side stands for one label on the other (shared/tls/names.ts).
    yield* (name.startsWith('*.') ? byParent.get(name.slice(2)) : byName.get(`*.${parentOf(name)}`)) ?? []
  }
}

/** The rule with the most specific domain for the sender, then the first; null when none is for that sender. */
function foremost(rules: Iterable<InboundRule>, peer: Peer): InboundRule | null {
  let best: { rule: InboundRule; specific: number } | null = null
  for (const rule of rules) {
    const specific = specificityFor(rule, peer)
    if (specific === null) continue
    if (
      best === null ||
      specific > best.specific ||
      (specific === best.specific && rule.rank < best.rule.rank)
    )
      best = { rule, specific }
  }
  return best?.rule ?? null
}

/** A server that is identified may send DSNs, whose reverse path belongs to no domain. */
function specificityFor({ connector }: InboundRule, { mailFrom, domain }: Peer): number | null {
  if (mailFrom === '') return 0
  const pattern = bestPattern(connector.senderDomains, domain)
  return pattern === null ? null : specificity(pattern)
}
