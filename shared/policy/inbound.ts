/**
 * Evaluates the inbound connectors for a message. The attack: mail in a partner's name that did not come from the
 * partner, or came in the clear. The defence: the partner's connector requires TLS, a certificate or an address, and
 * mail without it is not accepted. Only an OnPremises connector that identifies the client grants relay. The ingress at
 * RCPT TO and evaluate-policy call the same function.
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
  /** The reverse path; empty for a DSN. */
  mailFrom: string
  /** The time of the session, at which certificates must be valid. */
  at: Date
}

export interface InboundJudgement {
  /** The enforced Partner connector for the sender's domain, or else the one that only reports. */
  partner: InboundConnector | null
  /** The Partner connector for the sender's domain that only reports. */
  trial: InboundConnector | null
  /** The OnPremises connector that identifies the client as the organisation's own server. */
  attributedTo: InboundConnector | null
  /** The violation of an enforced connector. */
  violation: ConnectorViolation | null
  /** The violation of a connector that only reports. */
  reported: ConnectorViolation | null
  /**
   * The OnPremises connector that would identify the client if its certificate's revocation were determined. Null when
   * another connector identifies it.
   */
  doubtful: InboundConnector | null
  /** The reverse path has no valid domain, so no connector can match. */
  unreadableSender: boolean
}

export type ConnectorViolation = Violation & { connector: InboundConnector }

/**
 * A Partner connector restricts, an OnPremises connector grants relay; a restriction takes precedence. The partner is
 * the connector with the most specific sender domain, then the most restrictions, then the first name. Enforced
 * connectors and those that only report are selected separately, so that the latter never replace the former.
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

export const nobody: InboundJudgement = {
  partner: null,
  trial: null,
  attributedTo: null,
  violation: null,
  reported: null,
  doubtful: null,
  unreadableSender: false,
}

/** Checks one connector, whether or not it is enabled, enforced or selected. */
export function violationOf(connector: InboundConnector, session: Session): Violation | null {
  return findViolation(compileRule(connector, 0), peerOf(session))
}

/** How an OnPremises connector identifies the session's client, or null when it does not. */
export function identifiedBy(
  connector: InboundConnector,
  session: Session,
): 'Certificate' | 'Address' | null {
  if (identifies(connector, peerOf(session).presented)) return 'Certificate'
  return compileRule(connector, 0).ranges.has(session.ip) ? 'Address' : null
}

/** The null reverse path and address literals validly belong to no domain. */
const hasNoDomain = (mailFrom: string): boolean => mailFrom === '' || addressLiteral.test(mailFrom)

/** RFC 5321 §4.1.3: an IPv4 address, or a tag such as `IPv6:` and its value. A host name in brackets is not one. */
const addressLiteral = /@\[(?:[\d.]+|[A-Za-z\d-]+:[^[\]\\]+)\]$/

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
 * Certificate first, then address, as Exchange attributes mail of a hybrid organisation. A connector that only reports
 * counts when no enforced one identifies the client, so that it relaxes nothing in force.
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

/** Enforced connectors only. */
function doubtfulOwner(onPremises: OnPremises, peer: Peer): InboundConnector | null {
  const { presented } = peer
  if (presented === null) return null
  const doubtful = [...candidates(onPremises, presented)].filter(
    ({ connector }) => connector.mode === 'Enforce' && isDoubtful(connector, presented),
  )
  return foremost(doubtful, peer)?.connector ?? null
}

/** The index only finds candidates. */
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

/** The rule with the most specific domain for the sender, then the lowest rank. */
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

/** An identified server may send DSNs, whose reverse path belongs to no domain. */
function specificityFor({ connector }: InboundRule, { mailFrom, domain }: Peer): number | null {
  if (mailFrom === '') return 0
  const pattern = bestPattern(connector.senderDomains, domain)
  return pattern === null ? null : specificity(pattern)
}
