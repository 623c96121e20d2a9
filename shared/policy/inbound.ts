/**
 * Evaluates the inbound connectors for a message. The attack: mail in a partner's name that did not come from the
 * partner, or arrived in the clear. The defence: the partner's connector requires TLS, a certificate or an address, and
 * mail that does not meet the requirements is refused or held. Only an OnPremises connector that identifies the client
 * grants relay. The ingress at RCPT TO and evaluate-policy both call evaluateInbound.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { ExchangeOnlineFields, MessageAuthentication } from '../contract/authentication.ts'
import type { TlsFacts } from '../contract/message.ts'
import { domainOf } from '../mail/address.ts'
import {
  identifiesClient,
  isRevocationUndetermined,
  type PresentedCertificate,
  toPresentedCertificate,
} from './client-certificate.ts'
import { bestPattern, specificity } from './order.ts'
import {
  byRank,
  compileRule,
  firstOrNull,
  type InboundRule,
  matchesByDomain,
  type OnPremises,
  parentDomainOf,
  type Snapshot,
} from './snapshot.ts'
import { identifyTenant, type TenantFinding } from './tenant.ts'
import { findDmarcViolation, findViolation, type Violation } from './violation.ts'

export interface Session {
  ip: string
  tls: TlsFacts
  /** The reverse path; empty for a DSN. */
  mailFrom: string
  /** The time of the session, at which certificates must be valid. */
  at: Date
  /** Absent before the message has arrived. */
  content?: MessageFacts
}

/** What a message shows, and the results of SPF, DKIM and DMARC. */
export interface MessageFacts {
  /** Null if the ingress did not read the header. */
  exchangeOnline: ExchangeOnlineFields | null
  /** Null if the message was not authenticated. */
  authentication: MessageAuthentication | null
}

export interface InboundEvaluation {
  /** The enforced Partner connector for the sender's domain; if there is none, the report-only one. */
  partner: InboundConnector | null
  /** The report-only Partner connector for the sender's domain. */
  reportOnlyPartner: InboundConnector | null
  /** The OnPremises connector that identifies the client as the organisation's own server. */
  attributedTo: InboundConnector | null
  /** The violation of an enforced connector: the first of `violations`. */
  violation: ConnectorViolation | null
  /** The violations of enforced connectors. The first decides, until an administrator releases the message. */
  violations: readonly ConnectorViolation[]
  /** The violation of a report-only connector. */
  reportedViolation: ConnectorViolation | null
  /**
   * The OnPremises connector that would identify the client if the revocation of the client's certificate were
   * determined. Null when another connector identifies the client.
   */
  revocationUndetermined: InboundConnector | null
  /**
   * The OnPremises connector whose tenant of Exchange Online the message does not show, or does not show yet. Null when
   * another connector identifies the client, or none has its certificate.
   */
  tenant: { connector: InboundConnector; finding: TenantFinding } | null
  /** The reverse path has no valid domain, so no connector can match. */
  unreadableSender: boolean
  /** The recipient's domain, for the scope of connectors; undefined for no recipient in particular. */
  recipientDomain?: string | null | undefined
}

export type ConnectorViolation = Violation & { connector: InboundConnector }

/**
 * A Partner connector restricts mail, and an OnPremises connector grants relay. A restriction takes precedence over a
 * grant. `partner` is the Partner connector with the most specific sender domain, then the most restrictions, then the
 * first name. Enforced and report-only connectors are selected separately, so that a report-only connector never
 * replaces an enforced connector.
 */
export function evaluateInbound(
  snapshot: Snapshot,
  session: Session,
  recipientDomain?: string | null,
): InboundEvaluation {
  const client = clientSessionOf(session)
  if (client.domain === null && !validlyLacksDomain(session.mailFrom))
    return { ...noConnector, unreadableSender: true }
  const applies = ({ connector }: InboundRule) => appliesTo(connector, recipientDomain)
  const select = (mode: InboundConnector['mode'], domain: string | null) =>
    firstOrNull(matchesByDomain(snapshot.partners[mode], domain).filter(applies))
  const enforced = select('Enforce', client.domain)
  const reportOnly = select('ReportOnly', client.domain)
  const own = findOwnConnector(snapshot, client, applies)
  const attributedTo = own.rule
  const violations = [enforced, reportOnly, attributedTo].flatMap((rule) => {
    const violation = rule && findViolation(rule, client)
    return violation ? [{ ...violation, connector: rule.connector }] : []
  })
  if (!attributedTo?.connector.treatMessagesAsInternal)
    violations.push(...dmarcViolations(snapshot, session, [enforced, reportOnly], { select, applies }))
  const enforcedViolations = violations.filter(({ connector }) => connector.mode === 'Enforce')
  return {
    partner: (enforced ?? reportOnly)?.connector ?? null,
    reportOnlyPartner: reportOnly?.connector ?? null,
    attributedTo: attributedTo?.connector ?? null,
    violation: enforcedViolations[0] ?? null,
    violations: enforcedViolations,
    reportedViolation: violations.find(({ connector }) => connector.mode === 'ReportOnly') ?? null,
    revocationUndetermined:
      attributedTo === null ? findUndeterminedOwner(snapshot.onPremises, client, applies) : null,
    tenant: own.tenant,
    unreadableSender: false,
    recipientDomain,
  }
}

/**
 * Whether the recipient is in the connector's scope.
 * @param recipientDomain undefined for no recipient in particular: then every connector applies
 */
export const appliesTo = (
  { associatedAcceptedDomains: domains }: Pick<InboundConnector, 'associatedAcceptedDomains'>,
  recipientDomain: string | null | undefined,
): boolean =>
  recipientDomain === undefined ||
  domains.length === 0 ||
  (recipientDomain !== null && domains.includes(recipientDomain))

/**
 * The attack: a message shows a partner's address in From:, with another MAIL FROM. The defence: a Partner connector
 * with `requireDmarc` applies to the domain of From:, too. A message without exactly one domain there, or whose From: is
 * not known, may be the partner's for one of its readers, so each such connector applies. The other requirements do not
 * apply, because forwarded mail comes from other servers. Not covered: a subdomain that no pattern of `senderDomains`
 * matches, and an SPF record that lets other customers of the partner's provider send.
 */
function dmarcViolations(
  { requiringDmarc }: Snapshot,
  { content }: Session,
  bySender: readonly (InboundRule | null)[],
  {
    select,
    applies,
  }: {
    select(mode: InboundConnector['mode'], domain: string): InboundRule | null
    applies(rule: InboundRule): boolean
  },
): ConnectorViolation[] {
  const dmarc = content?.authentication?.dmarc
  if (!dmarc) return []
  const { fromDomain } = dmarc
  const byFrom = (['Enforce', 'ReportOnly'] as const).map((mode) =>
    fromDomain === null ? (requiringDmarc[mode].find(applies) ?? null) : select(mode, fromDomain),
  )
  const connectors = [...bySender, ...byFrom].flatMap((rule) => (rule === null ? [] : [rule.connector]))
  return [...new Set(connectors)].flatMap((connector) => {
    const violation = findDmarcViolation(connector, dmarc)
    return violation ? [{ ...violation, connector }] : []
  })
}

/** Whether the connector that identifies the client still needs the message's content for that. */
export const isProvisional = ({ tenant }: Pick<InboundEvaluation, 'tenant'>): boolean =>
  tenant?.finding.kind === 'Undetermined'

/** Evaluates the connectors for a recipient's address, once for each recipient domain that a connector's scope names. */
export function evaluationByDomain(
  snapshot: Snapshot,
  session: Session,
): (address: string) => InboundEvaluation {
  const evaluations = new Map<string | null, InboundEvaluation>()
  return (address) => {
    const scope = recipientScope(snapshot, address)
    const known = evaluations.get(scope)
    if (known !== undefined) return known
    const evaluation = evaluateInbound(snapshot, session, scope)
    evaluations.set(scope, evaluation)
    return evaluation
  }
}

/** The recipient's domain, if the scope of a connector names it. The same connectors apply to all other recipients. */
export function recipientScope(
  { scopedDomains }: Pick<Snapshot, 'scopedDomains'>,
  address: string,
): string | null {
  const domain = domainOf(address)
  return domain !== null && scopedDomains.has(domain) ? domain : null
}

export const noConnector: InboundEvaluation = {
  partner: null,
  reportOnlyPartner: null,
  attributedTo: null,
  violation: null,
  violations: [],
  reportedViolation: null,
  revocationUndetermined: null,
  tenant: null,
  unreadableSender: false,
}

/** Checks one connector, whether or not it is enabled, enforced or selected. */
export function findConnectorViolation(connector: InboundConnector, session: Session): Violation | null {
  return findViolation(compileRule(connector), clientSessionOf(session))
}

/** How an OnPremises connector identifies the session's client, or null when it does not. */
export function identificationMethod(
  connector: InboundConnector,
  session: Session,
): 'Certificate' | 'Address' | null {
  if (identifiesClient(connector, clientSessionOf(session).presented)) return 'Certificate'
  return compileRule(connector).addressRanges.has(session.ip) ? 'Address' : null
}

/** What a message shows of the connector's tenant; null when the connector identifies no tenant. */
export const tenantFindingFor = (
  connector: InboundConnector,
  session: Session,
  { acceptedDomains }: Pick<Snapshot, 'acceptedDomains'>,
): TenantFinding | null => tenantFinding(connector, clientSessionOf(session), acceptedDomains)

/** The null reverse path and address literals are valid without a domain. */
const validlyLacksDomain = (mailFrom: string): boolean => mailFrom === '' || addressLiteral.test(mailFrom)

/** RFC 5321 §4.1.3: an IPv4 address, or a tag such as `IPv6:` and its value. A host name in brackets is no literal. */
const addressLiteral = /@\[(?:[\d.]+|[A-Za-z\d-]+:[^[\]\\]+)\]$/

interface ClientSession extends Session {
  domain: string | null
  presented: PresentedCertificate | null
}

const clientSessionOf = (session: Session): ClientSession => ({
  ...session,
  domain: domainOf(session.mailFrom),
  presented: toPresentedCertificate(session.tls.clientCertificate, session.at),
})

/**
 * A connector that identifies the client by certificate takes precedence over one that identifies it by address, as
 * when Exchange attributes mail of a hybrid organisation. A report-only connector applies only when no enforced
 * connector identifies the client, so that a report-only connector relaxes no enforced requirement.
 */
function findOwnConnector(
  { onPremises, acceptedDomains }: Snapshot,
  client: ClientSession,
  applies: (rule: InboundRule) => boolean,
): { rule: InboundRule | null; tenant: InboundEvaluation['tenant'] } {
  const rulesByCertificate = [...findByCertificate(onPremises, client)].filter(applies)
  const findings = new Map(
    rulesByCertificate.map((rule) => [rule, tenantFinding(rule.connector, client, acceptedDomains)]),
  )
  const identifying = rulesByCertificate.filter((rule) => isIdentified(findings.get(rule)))
  const rulesByAddress = [...onPremises.byAddress.valuesFor(client.ip)].filter(applies)
  const highestOf = (rules: InboundRule[], mode: InboundConnector['mode']) =>
    highestRanked(
      rules.filter(({ connector }) => connector.mode === mode),
      client,
    )
  const rule =
    highestOf(identifying, 'Enforce') ??
    highestOf(rulesByAddress, 'Enforce') ??
    highestOf(identifying, 'ReportOnly') ??
    highestOf(rulesByAddress, 'ReportOnly')
  const tenantRule = rule ?? highestRanked(rulesByCertificate, client)
  const finding = tenantRule && findings.get(tenantRule)
  return { rule, tenant: finding ? { connector: tenantRule.connector, finding } : null }
}

const tenantFinding = (
  connector: InboundConnector,
  { domain, mailFrom, content }: ClientSession,
  acceptedDomains: ReadonlySet<string>,
): TenantFinding | null =>
  identifyTenant(connector, {
    // An address literal is in no domain, and it is not the null reverse path.
    senderDomain: mailFrom === '' ? null : (domain ?? mailFrom.slice(mailFrom.lastIndexOf('@') + 1)),
    acceptedDomains,
    fields: content === undefined ? undefined : content.exchangeOnline,
  })

/** Before the message has arrived, its tenant is assumed, because the content is checked again. */
const isIdentified = (finding: TenantFinding | null | undefined): boolean =>
  !finding || finding.kind === 'Identified' || finding.kind === 'Undetermined'

/** Considers enforced connectors only. */
function findUndeterminedOwner(
  onPremises: OnPremises,
  client: ClientSession,
  applies: (rule: InboundRule) => boolean,
): InboundConnector | null {
  const { presented } = client
  if (presented === null) return null
  const undeterminedRules = [...certificateCandidates(onPremises, presented)].filter(
    (rule) =>
      applies(rule) &&
      rule.connector.mode === 'Enforce' &&
      isRevocationUndetermined(rule.connector, presented),
  )
  return highestRanked(undeterminedRules, client)?.connector ?? null
}

/** The index finds candidates, which are then checked. */
function* findByCertificate(onPremises: OnPremises, { presented }: ClientSession): Generator<InboundRule> {
  if (presented === null) return
  for (const rule of certificateCandidates(onPremises, presented))
    if (identifiesClient(rule.connector, presented)) yield rule
}

/** The connectors that may accept the certificate, by its fingerprint and names; a connector may occur twice. */
export function* certificateCandidates(
  { byFingerprint, byName, byParent }: OnPremises,
  presented: PresentedCertificate,
) {
  yield* byFingerprint.get(presented.certificate.fingerprint256) ?? []
  for (const name of presented.names) {
    yield* byName.get(name) ?? []
    // A wildcard on either side stands for one label on the other (shared/tls/names.ts).
    yield* (name.startsWith('*.') ? byParent.get(name.slice(2)) : byName.get(`*.${parentDomainOf(name)}`)) ??
      []
  }
}

/** The rule with the most specific domain for the sender; among equals, the first in the order of rank. */
function highestRanked(rules: Iterable<InboundRule>, client: ClientSession): InboundRule | null {
  let best: { rule: InboundRule; specific: number } | null = null
  for (const rule of rules) {
    const specific = specificityFor(rule, client)
    if (specific === null) continue
    if (
      best === null ||
      specific > best.specific ||
      (specific === best.specific && byRank(rule, best.rule) < 0)
    )
      best = { rule, specific }
  }
  return best?.rule ?? null
}

/**
 * Null if the connector is for other senders. Every connector allows the null reverse path, because an identified
 * server may send DSNs.
 */
function specificityFor({ connector }: InboundRule, { mailFrom, domain }: ClientSession): number | null {
  if (mailFrom === '') return 0
  const pattern = bestPattern(connector.senderDomains, domain)
  return pattern === null ? null : specificity(pattern)
}
