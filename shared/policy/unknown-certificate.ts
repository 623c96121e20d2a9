/**
 * Finds the connectors that accept a session's certificate, and those that require a certificate but not this one.
 * Only the administrator can distinguish a partner's renewed certificate from an impostor's. The notice lists the facts
 * to compare, and the additions to the connector that make it accept the certificate. No addition lowers a requirement.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { CertificateFacts } from '../contract/certificate.ts'
import type { CertificateNotice } from '../contract/jobs.ts'
import { domainOf } from '../mail/address.ts'
import { replaceInvisible } from '../mail/peer-text.ts'
import { anyNameMatches } from '../tls/names.ts'
import { recordOfClient } from '../tls/observed/certificate-record.ts'
import { certificateFacts, namesInDomains } from './certificate-facts.ts'
import {
  certificateFaults,
  identifiesClient,
  isRevocationUndetermined,
  type PresentedCertificate,
  toPresentedCertificate,
} from './client-certificate.ts'
import type { ConnectorViolation, InboundEvaluation, Session } from './inbound.ts'
import { matchesByDomain, type Snapshot } from './snapshot.ts'
import { trustDigest } from './trust-digest.ts'

/** The connectors that accepted the session because of its certificate. */
export function connectorsAcceptingCertificate(
  session: Session,
  evaluation: InboundEvaluation,
): InboundConnector[] {
  const presented = toPresentedCertificate(session.tls.clientCertificate, session.at)
  const { partner, reportOnlyPartner, attributedTo, violation, reportedViolation } = evaluation
  const restrictingConnectors = [partner, reportOnlyPartner].filter(
    (connector) => connector?.restrictDomainsToCertificate,
  )
  const acceptingConnectors = new Set(
    [...restrictingConnectors, attributedTo].filter((connector) => connector !== null),
  )
  for (const broken of [violation, reportedViolation])
    if (broken) acceptingConnectors.delete(broken.connector)
  return [...acceptingConnectors].filter((connector) => identifiesClient(connector, presented))
}

/**
 * What happens to mail whose certificate violates an enforced connector. The caller supplies the outcome: the ingress
 * refuses the mail in the session; evaluate-policy holds or bounces the mail.
 */
export type MailOutcome = Pick<CertificateNotice, 'consequence' | 'heldUntil'>

/**
 * Notices for the connectors whose certificate requirement the session violates, and for the OnPremises connector that
 * names the certificate but does not accept it; at most three.
 */
export function unknownCertificateNotices(
  snapshot: Snapshot,
  session: Session,
  evaluation: InboundEvaluation,
  violationOutcome: MailOutcome,
): CertificateNotice[] {
  const presented = toPresentedCertificate(session.tls.clientCertificate, session.at)
  if (presented === null) return []
  const { violation, reportedViolation } = evaluation
  const mayBeOwnServer = evaluation.attributedTo === null && evaluation.revocationUndetermined === null
  const ownServerConnector = mayBeOwnServer ? connectorNaming(snapshot, session, presented) : null
  const notice = (connector: InboundConnector, outcome: MailOutcome) => ({
    ...noticeOf(connector, presented, session, outcome),
    ...tenantFact(evaluation),
  })
  // If the connector refuses the certificate only because its revocation is undetermined, the administrator has nothing
  // to decide.
  const needsNotice = (candidate: ConnectorViolation | null): candidate is ConnectorViolation =>
    isAboutCertificate(candidate) && !isRevocationUndetermined(candidate.connector, presented)
  return [
    ...(needsNotice(violation) ? [notice(violation.connector, violationOutcome)] : []),
    ...(needsNotice(reportedViolation)
      ? [notice(reportedViolation.connector, { consequence: 'RecordedOnly', heldUntil: null })]
      : []),
    ...(ownServerConnector === null
      ? []
      : [notice(ownServerConnector, { consequence: 'RelayDenied', heldUntil: null })]),
  ]
}

const isAboutCertificate = (violation: ConnectorViolation | null): violation is ConnectorViolation =>
  violation?.reason === 'InboundCertificateRestriction'

/**
 * The OnPremises connector of the sender's domain that names the certificate but does not accept it, for example
 * because it expired. Certificates with other names are unrelated and get no notice. A connector that accepts the
 * certificate does not apply for another reason: its scope, or the tenant of Exchange Online.
 */
function connectorNaming(
  { onPremises }: Snapshot,
  { mailFrom }: Session,
  presented: PresentedCertificate,
): InboundConnector | null {
  for (const { connector } of matchesByDomain(onPremises.byDomain, domainOf(mailFrom)))
    if (
      anyNameMatches(presented.names, connector.tlsSenderCertificateNames) &&
      !identifiesClient(connector, presented)
    )
      return connector
  return null
}

/** In characters. The text may hold ten names of 255 characters. */
const maxReasonLength = 1000

function tenantFact({ tenant }: InboundEvaluation): Pick<CertificateNotice, 'tenant'> {
  if (tenant === null || tenant.finding.kind === 'Undetermined') return {}
  const { connector, finding } = tenant
  const result =
    finding.kind === 'Identified' ? `identified by ${finding.evidence}` : `not identified: ${finding.why}`
  return { tenant: replaceInvisible(`connector "${connector.name}": ${result}`) }
}

function noticeOf(
  connector: InboundConnector,
  presented: PresentedCertificate,
  { mailFrom, ip, at }: Session,
  outcome: MailOutcome,
): CertificateNotice {
  const { id, name, connectorType, mode, onViolation } = connector
  const senderDomain = domainOf(mailFrom)
  const facts = certificateFacts(connector, presented)
  return {
    kind: 'UnknownCertificate',
    at: at.toISOString(),
    connector: { id, name: replaceInvisible(name), connectorType, mode, onViolation },
    presented: recordOfClient(presented.certificate),
    why: replaceInvisible(certificateFaults(connector, presented).join('; ')).slice(0, maxReasonLength),
    facts,
    vouchedFor: isTrustedForDomain(connector, presented),
    ...outcome,
    remedies: remedies(connector, presented, facts, senderDomain),
    trustDigest: trustDigest(connector),
    senderDomain,
    ip,
    failures: 0,
  }
}

/**
 * Checks the certificate as if the connector listed the certificate's names within the sender domains: dates, issuer,
 * purpose and revocation must meet the requirements.
 */
function isTrustedForDomain(connector: InboundConnector, presented: PresentedCertificate): boolean {
  const names = namesInDomains(presented.names, connector.senderDomains)
  return names.length > 0 && identifiesClient({ ...connector, tlsSenderCertificateNames: names }, presented)
}

type Remedy = CertificateNotice['remedies'][number]

/**
 * Additions to the connector, each of which alone would make it accept the certificate. A fingerprint admits one
 * certificate, so it is first. A name admits every certificate with that name from an authority that the connector
 * trusts, so it is second.
 */
function remedies(
  connector: InboundConnector,
  presented: PresentedCertificate,
  facts: CertificateFacts,
  senderDomain: string | null,
): Remedy[] {
  const fingerprint: Remedy = {
    field: 'certificateFingerprints',
    add: presented.certificate.fingerprint256,
    admits: 'ThisCertificate',
  }
  return [fingerprint, ...proposeName(connector, presented, facts, senderDomain)].filter(({ field, add }) =>
    identifiesClient({ ...connector, [field]: [...connector[field], add] }, presented),
  )
}

/**
 * The attack: a certificate under a public root for a domain of the attacker, whose name a careless administrator adds.
 * The defence: under public roots only a name in the sender domains is proposed. An authority of the connector that
 * is also a public root counts as a public root. Empty if the connector lists no names.
 */
function proposeName(
  { tlsSenderCertificateNames: expected, senderDomains }: InboundConnector,
  { names }: PresentedCertificate,
  { issuedByConnectorAuthority, issuedByPublicRoot }: CertificateFacts,
  senderDomain: string | null,
): Remedy[] {
  if (expected.length === 0) return []
  const isFromOwnAuthority = issuedByConnectorAuthority === true && issuedByPublicRoot !== true
  // A wildcard admits more names, so it is the last choice.
  const ordered = [...names].sort((first, second) => Number(isWildcard(first)) - Number(isWildcard(second)))
  const permitted = isFromOwnAuthority ? ordered : namesInDomains(ordered, senderDomains)
  const [name] = [
    ...namesInDomains(permitted, senderDomain === null ? [] : [senderDomain]),
    ...namesInDomains(permitted, senderDomains),
    ...permitted,
  ]
  if (name === undefined) return []
  const admits = isFromOwnAuthority ? 'NameFromConnectorAuthority' : 'NameFromPublicRoot'
  return [{ field: 'tlsSenderCertificateNames', add: name, admits }]
}

const isWildcard = (name: string): boolean => name.startsWith('*.')
