/**
 * Finds the connectors that know a session's certificate, and those that require one and do not know it. Only the
 * administrator can tell a partner's renewed certificate from an impostor's. The notice gives the facts to compare, and
 * what to add to the connector if the certificate is the partner's.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { CertificateNotice } from '../contract/jobs.ts'
import { domainOf } from '../mail/address.ts'
import { visible } from '../mail/peer-words.ts'
import { summaryOf } from '../tls/certificate-summary.ts'
import { anyNameMatches } from '../tls/names.ts'
import { certificateFaults, identifies, isDoubtful, type Presented, present } from './client-certificate.ts'
import type { ConnectorViolation, InboundJudgement, Session } from './inbound.ts'
import { matchesByDomain, type Snapshot } from './snapshot.ts'

/** The connectors that accepted the mail by its certificate. */
export function knownTo(session: Session, judgement: InboundJudgement): InboundConnector[] {
  const presented = present(session.tls.clientCertificate, session.at)
  const { partner, trial, attributedTo, violation, reported } = judgement
  const asked = [partner, trial].filter((connector) => connector?.restrictDomainsToCertificate)
  const taking = new Set([...asked, attributedTo].filter((connector) => connector !== null))
  for (const broken of [violation, reported]) if (broken) taking.delete(broken.connector)
  return [...taking].filter((connector) => identifies(connector, presented))
}

/** What happens to mail that violates an enforced connector by its certificate. The caller decides it. */
export type Fate = Pick<CertificateNotice, 'consequence' | 'heldUntil'>

/** One notice for each connector that requires a certificate and does not know the one presented. */
export function unknownTo(
  snapshot: Snapshot,
  session: Session,
  judgement: InboundJudgement,
  violated: Fate,
): CertificateNotice[] {
  const presented = present(session.tls.clientCertificate, session.at)
  if (presented === null) return []
  const { violation, reported } = judgement
  const isOwnersFault = judgement.attributedTo === null && judgement.doubtful === null
  const own = isOwnersFault ? namesake(snapshot, session, presented) : null
  const notice = (connector: InboundConnector, fate: Fate) => noticeOf(connector, presented, session, fate)
  // A known certificate with undetermined revocation needs no decision by the administrator.
  const isAbout = (broken: ConnectorViolation | null): broken is ConnectorViolation =>
    isAboutCertificate(broken) && !isDoubtful(broken.connector, presented)
  return [
    ...(isAbout(violation) ? [notice(violation.connector, violated)] : []),
    ...(isAbout(reported)
      ? [notice(reported.connector, { consequence: 'RecordedOnly', heldUntil: null })]
      : []),
    ...(own === null ? [] : [notice(own, { consequence: 'RelayDenied', heldUntil: null })]),
  ]
}

const isAboutCertificate = (violation: ConnectorViolation | null): violation is ConnectorViolation =>
  violation?.reason === 'InboundCertificateRestriction'

/**
 * The OnPremises connector of the sender's domain that names the certificate but does not know it, for example because
 * it expired. Certificates with other names are unrelated and get no notice.
 */
function namesake(
  { onPremises }: Snapshot,
  { mailFrom }: Session,
  presented: Presented,
): InboundConnector | null {
  for (const { connector } of matchesByDomain(onPremises.byDomain, domainOf(mailFrom)))
    if (anyNameMatches(presented.names, connector.tlsSenderCertificateNames)) return connector
  return null
}

/** Characters. The text may hold ten names of 255 characters. */
const maxReasonLength = 1000

function noticeOf(
  connector: InboundConnector,
  presented: Presented,
  { mailFrom, ip, at }: Session,
  fate: Fate,
): CertificateNotice {
  const { id, name, connectorType, mode, onViolation } = connector
  const senderDomain = domainOf(mailFrom)
  return {
    kind: 'UnknownCertificate',
    at: at.toISOString(),
    connector: { id, name: visible(name), connectorType, mode, onViolation },
    presented: summaryOf(presented.certificate),
    why: visible(certificateFaults(connector, presented).join('; ')).slice(0, maxReasonLength),
    vouchedFor: isVouchedFor(connector, presented),
    ...fate,
    remedies: remedies(connector, presented, senderDomain),
    senderDomain,
    ip,
    failures: 0,
  }
}

/** Checks the certificate as if the connector listed its name: dates, issuer and purpose must meet the requirements. */
function isVouchedFor(connector: InboundConnector, presented: Presented): boolean {
  // `*` is no domain, and no name ends with it.
  const isWithin = (name: string) =>
    connector.senderDomains.some((domain) => `.${name}`.endsWith(`.${domain.replace('*.', '')}`))
  const names = presented.names.filter(isWithin)
  return names.length > 0 && identifies({ ...connector, tlsSenderCertificateNames: names }, presented)
}

type Remedy = CertificateNotice['remedies'][number]

/** The additions to the connector that would make it know the certificate. */
function remedies(
  connector: InboundConnector,
  { certificate, names, at }: Presented,
  senderDomain: string | null,
): Remedy[] {
  const own = names.find((name) => name === senderDomain || name.endsWith(`.${senderDomain}`)) ?? names[0]
  const possible: Remedy[] = [{ field: 'certificateFingerprints', add: certificate.fingerprint256 }]
  if (connector.tlsSenderCertificateNames.length > 0 && own !== undefined)
    possible.unshift({ field: 'tlsSenderCertificateNames', add: own })
  return possible.filter(({ field, add }) =>
    identifies({ ...connector, [field]: [...connector[field], add] }, { certificate, names, at }),
  )
}
