/**
 * Lists the inbound connectors considered for a session, from the indexes and the evaluation that the decision uses.
 */
import type { InboundConnector } from '../../connectors/schema.ts'
import { domainOf } from '../../mail/address.ts'
import { listText, subjectText, toPresentedCertificate } from '../client-certificate.ts'
import {
  appliesTo,
  findConnectorViolation,
  type InboundEvaluation,
  identificationMethod,
  type Session,
  tenantFindingFor,
} from '../inbound.ts'
import { bestPattern } from '../order.ts'
import { matchesByDomain, type Snapshot } from '../snapshot.ts'
import type { TenantFinding } from '../tenant.ts'
import { countText, proseList } from '../text-lists.ts'
import { findDmarcViolation, identificationFault } from '../violation.ts'
import {
  type Considered,
  disabledFinding,
  distinctConnectors,
  type Finding,
  identityOf,
} from './considered.ts'
import { inboundOrder, outrankedFinding } from './precedence.ts'

/** @param maxConnectors limit for the list; connectors that take part in the decision are listed even beyond it */
export function consideredInbound(
  snapshot: Snapshot,
  session: Session,
  evaluation: InboundEvaluation,
  maxConnectors: number,
): Considered[] {
  if (evaluation.unreadableSender) return []
  const domain = domainOf(session.mailFrom)
  const fromDomain = session.content?.authentication?.dmarc?.fromDomain ?? null
  const involved = [
    evaluation.partner,
    evaluation.reportOnlyPartner,
    evaluation.attributedTo,
    ...evaluation.violations.map(({ connector }) => connector),
    evaluation.reportedViolation?.connector ?? null,
  ]
  const connectors = distinctConnectors(
    inboundByPrecedence(snapshot, session, domain),
    maxConnectors,
    involved,
  )
  return connectors.map((connector) => ({
    direction: 'Inbound',
    ...identityOf(connector),
    pattern: bestPattern(connector.senderDomains, domain) ?? bestPattern(connector.senderDomains, fromDomain),
    ...inboundFinding(connector, session, evaluation, domain, snapshot),
  }))
}

function* inboundByPrecedence(
  { partners, onPremises, disabled }: Snapshot,
  { mailFrom }: Session,
  domain: string | null,
): Generator<InboundConnector> {
  for (const { connector } of matchesByDomain(partners.Enforce, domain)) yield connector
  for (const { connector } of matchesByDomain(partners.ReportOnly, domain)) yield connector
  // A generator for each mode, because there may be thousands of connectors, and only the first few are listed.
  const onPremisesMatches = () =>
    mailFrom === '' ? onPremises.rules : matchesByDomain(onPremises.byDomain, domain)
  for (const mode of ['Enforce', 'ReportOnly'] as const)
    for (const { connector } of onPremisesMatches()) if (connector.mode === mode) yield connector
  yield* matchesByDomain(disabled.inbound, domain)
}

function inboundFinding(
  connector: InboundConnector,
  session: Session,
  evaluation: InboundEvaluation,
  domain: string | null,
  snapshot: Snapshot,
): Finding {
  if (!connector.enabled) return disabledFinding
  if (!appliesTo(connector, evaluation.recipientDomain))
    return {
      outcome: 'NotApplicable',
      why: `It applies only to recipients in ${proseList(connector.associatedAcceptedDomains)}.`,
    }
  if (connector.connectorType === 'OnPremises')
    return onPremisesFinding(connector, session, evaluation, domain, snapshot)
  const dmarc = evaluation.attributedTo?.treatMessagesAsInternal
    ? null
    : session.content?.authentication?.dmarc
  const dmarcViolation = dmarc ? findDmarcViolation(connector, dmarc) : null
  const decides = connector.mode === 'Enforce' ? 'Decides' : 'Reports'
  if (dmarcViolation && bestPattern(connector.senderDomains, domain) === null)
    return { outcome: decides, why: dmarcViolation.explanation }
  const winner = connector.mode === 'Enforce' ? evaluation.partner : evaluation.reportOnlyPartner
  if (winner !== null && winner.id !== connector.id)
    return outrankedFinding(winner, connector, domain, inboundOrder)
  const why =
    findConnectorViolation(connector, session)?.explanation ??
    dmarcViolation?.explanation ??
    `${metRequirementsText(connector, session)}${rateLimitText(connector)}`
  return { outcome: decides, why }
}

function onPremisesFinding(
  connector: InboundConnector,
  session: Session,
  { attributedTo }: InboundEvaluation,
  domain: string | null,
  snapshot: Snapshot,
): Finding {
  const identification = identificationMethod(connector, session)
  const tenant = tenantFindingFor(connector, session, snapshot)
  if (identification !== null && tenant && 'why' in tenant)
    return { outcome: 'NotIdentified', why: `The message does not show the tenant: ${tenant.why}.` }
  if (identification === null) return { outcome: 'NotIdentified', why: notIdentifiedText(connector, session) }
  if (attributedTo !== null && attributedTo.id !== connector.id) {
    if (attributedTo.mode !== connector.mode)
      return {
        outcome: 'Outranked',
        why: `"${attributedTo.name}" is enforced, and this connector only reports.`,
      }
    if (identification === 'Address' && identificationMethod(attributedTo, session) === 'Certificate')
      return {
        outcome: 'Outranked',
        why: `"${attributedTo.name}" identifies the certificate, which takes precedence over an address.`,
      }
    return outrankedFinding(attributedTo, connector, domain, inboundOrder)
  }
  const violation = findConnectorViolation(connector, session)
  if (violation)
    return { outcome: connector.mode === 'Enforce' ? 'Decides' : 'Reports', why: violation.explanation }
  const evidence = `${identification === 'Certificate' ? 'its certificate' : `its address ${session.ip}`}${tenantText(tenant)}`
  const why = `The client is identified by ${evidence} as the organisation's own server: relay is granted.${rateLimitText(connector)}`
  return { outcome: 'Grants', why }
}

function tenantText(tenant: TenantFinding | null): string {
  if (tenant?.kind === 'Identified') return ` and ${tenant.evidence}`
  return tenant?.kind === 'Undetermined' ? ', and the message must show the tenant' : ''
}

function notIdentifiedText(connector: InboundConnector, session: Session): string {
  const { senderIpAddresses, tlsSenderCertificateNames, certificateFingerprints } = connector
  const reasons: string[] = []
  if (tlsSenderCertificateNames.length + certificateFingerprints.length > 0)
    reasons.push(
      `the connector ${identificationFault(connector, toPresentedCertificate(session.tls.clientCertificate, session.at))}`,
    )
  if (senderIpAddresses.length > 0) reasons.push(`${session.ip} is not in ${listText(senderIpAddresses)}`)
  return `The client is not identified: ${reasons.join('; ')}.`
}

function metRequirementsText(connector: InboundConnector, { tls, ip, content }: Session): string {
  const requirements: string[] = []
  if (connector.requireTls) requirements.push(`TLS (${tls.protocol ?? 'of unknown version'})`)
  if (connector.restrictDomainsToCertificate)
    requirements.push(`the certificate (${subjectText(tls.clientCertificate?.subject ?? '')})`)
  if (connector.restrictDomainsToIpAddresses) requirements.push(`the address (${ip})`)
  if (connector.requireDmarc && content?.authentication?.dmarc?.result === 'pass') requirements.push('DMARC')
  return requirements.length === 0
    ? 'The connector has no requirements for a session.'
    : `The session meets the requirements: ${requirements.join(', ')}.`
}

/** The text names the ingress, because only the ingress applies the limit; later decisions ignore it. */
function rateLimitText({ mode, messageRateLimit }: InboundConnector): string {
  if (mode !== 'Enforce' || !messageRateLimit) return ''
  return ` The ingress accepts at most ${countText(messageRateLimit, 'message')} per minute under this connector.`
}
