/**
 * Lists the inbound connectors considered for a session, from the indexes and the evaluation that the decision uses.
 */
import type { InboundConnector } from '../../connectors/schema.ts'
import { domainOf } from '../../mail/address.ts'
import { listed, named, present } from '../client-certificate.ts'
import { type InboundJudgement, identifiedBy, type Session, violationOf } from '../inbound.ts'
import { bestPattern } from '../order.ts'
import { matchesByDomain, type Snapshot } from '../snapshot.ts'
import { whyNotIdentified } from '../violation.ts'
import { counted } from '../words.ts'
import { type Considered, disabled, distinct, type Finding, identityOf } from './considered.ts'
import { inboundOrder, outranked } from './precedence.ts'

/** @param maxConnectors length of the list; connectors that take part are listed in any case */
export function consideredInbound(
  snapshot: Snapshot,
  session: Session,
  judgement: InboundJudgement,
  maxConnectors: number,
): Considered[] {
  if (judgement.unreadableSender) return []
  const domain = domainOf(session.mailFrom)
  const takePart = [judgement.partner, judgement.trial, judgement.attributedTo]
  const connectors = distinct(inboundInOrder(snapshot, session, domain), maxConnectors, takePart)
  return connectors.map((connector) => ({
    direction: 'Inbound',
    ...identityOf(connector),
    pattern: bestPattern(connector.senderDomains, domain),
    ...inboundFinding(connector, session, judgement, domain),
  }))
}

function* inboundInOrder(
  { partners, onPremises, disabled }: Snapshot,
  { mailFrom }: Session,
  domain: string | null,
): Generator<InboundConnector> {
  for (const { connector } of matchesByDomain(partners.Enforce, domain)) yield connector
  for (const { connector } of matchesByDomain(partners.ReportOnly, domain)) yield connector
  // Iterated once for each mode: there may be thousands, and only the first few are listed.
  const ours = () => (mailFrom === '' ? onPremises.rules : matchesByDomain(onPremises.byDomain, domain))
  for (const mode of ['Enforce', 'ReportOnly'] as const)
    for (const { connector } of ours()) if (connector.mode === mode) yield connector
  yield* matchesByDomain(disabled.inbound, domain)
}

function inboundFinding(
  connector: InboundConnector,
  session: Session,
  judgement: InboundJudgement,
  domain: string | null,
): Finding {
  if (!connector.enabled) return disabled
  if (connector.connectorType === 'OnPremises')
    return onPremisesFinding(connector, session, judgement, domain)
  const winner = connector.mode === 'Enforce' ? judgement.partner : judgement.trial
  if (winner !== null && winner.id !== connector.id) return outranked(winner, connector, domain, inboundOrder)
  const why =
    violationOf(connector, session)?.explanation ?? `${whatIsMet(connector, session)}${howMany(connector)}`
  return { outcome: connector.mode === 'Enforce' ? 'Decides' : 'Reports', why }
}

function onPremisesFinding(
  connector: InboundConnector,
  session: Session,
  { attributedTo }: InboundJudgement,
  domain: string | null,
): Finding {
  const by = identifiedBy(connector, session)
  if (by === null) return { outcome: 'NotIdentified', why: whyUnknown(connector, session) }
  if (attributedTo !== null && attributedTo.id !== connector.id) {
    if (attributedTo.mode !== connector.mode)
      return { outcome: 'Outranked', why: `"${attributedTo.name}" is enforced, and this one only reports.` }
    if (by === 'Address' && identifiedBy(attributedTo, session) === 'Certificate')
      return {
        outcome: 'Outranked',
        why: `"${attributedTo.name}" identifies the certificate, which takes precedence over an address.`,
      }
    return outranked(attributedTo, connector, domain, inboundOrder)
  }
  const violation = violationOf(connector, session)
  if (violation)
    return { outcome: connector.mode === 'Enforce' ? 'Decides' : 'Reports', why: violation.explanation }
  const how = by === 'Certificate' ? 'its certificate' : `its address ${session.ip}`
  const why = `The client is identified by ${how} as the organisation's own server: relay is granted.${howMany(connector)}`
  return { outcome: 'Grants', why }
}

function whyUnknown(connector: InboundConnector, session: Session): string {
  const { senderIpAddresses, tlsSenderCertificateNames, certificateFingerprints } = connector
  const reasons: string[] = []
  if (tlsSenderCertificateNames.length + certificateFingerprints.length > 0)
    reasons.push(`it ${whyNotIdentified(connector, present(session.tls.clientCertificate, session.at))}`)
  if (senderIpAddresses.length > 0) reasons.push(`${session.ip} is not in ${listed(senderIpAddresses)}`)
  return `It does not identify the client: ${reasons.join('; ')}.`
}

function whatIsMet(connector: InboundConnector, { tls, ip }: Session): string {
  const met: string[] = []
  if (connector.requireTls) met.push(`TLS (${tls.protocol ?? 'of unknown version'})`)
  if (connector.restrictDomainsToCertificate)
    met.push(`the certificate (${named(tls.clientCertificate?.subject ?? '')})`)
  if (connector.restrictDomainsToIpAddresses) met.push(`the address (${ip})`)
  return met.length === 0
    ? 'It requires nothing of a session.'
    : `Its requirements are met: ${met.join(', ')}.`
}

/** Only the ingress counts messages, so later decisions ignore the limit. */
function howMany({ mode, messageRateLimit }: InboundConnector): string {
  if (mode !== 'Enforce' || !messageRateLimit) return ''
  return ` The ingress accepts ${counted(messageRateLimit, 'message')} a minute under this connector.`
}
