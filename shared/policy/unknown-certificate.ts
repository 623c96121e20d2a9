/**
 * Which connectors know the certificate of a session, and which ask for one and do not know it. A partner that
 * renews its certificate is told from an impostor by the administrator alone; what is said here is what there is
 * to compare, and what to add to the connector once it is found to be the partner's.
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

/** The connectors under which mail was accepted by its certificate. */
export function knownTo(session: Session, judgement: InboundJudgement): InboundConnector[] {
  const presented = present(session.tls.clientCertificate, session.at)
  const { partner, trial, attributedTo, violation, reported } = judgement
  const asked = [partner, trial].filter((connector) => connector?.restrictDomainsToCertificate)
  const taking = new Set([...asked, attributedTo].filter((connector) => connector !== null))
  for (const broken of [violation, reported]) if (broken) taking.delete(broken.connector)
  return [...taking].filter((connector) => identifies(connector, presented))
}

/** What becomes of mail whose certificate violates an enforced connector: who decides that knows it. */
export type Fate = Pick<CertificateNotice, 'consequence' | 'heldUntil'>

/** A notice for each connector that asks for a certificate and does not know the one it was shown. */
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
  // One that is known and merely cannot be found out about is for nobody to accept.
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
 * The OnPremises connector of the sender's domain whose very name a certificate bears that it does not know, as
 * when our own server's has expired. One of other names is a stranger's, and nobody's business.
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

/** A violation's text may hold five names of 255 characters, and as many that are expected. */
const longestWhy = 1000

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
    why: visible(certificateFaults(connector, presented).join('; ')).slice(0, longestWhy),
    vouchedFor: isVouchedFor(connector, presented),
    ...fate,
    remedies: remedies(connector, presented, senderDomain),
    senderDomain,
    ip,
    failures: 0,
  }
}

/** As though the connector asked for the name: so its dates, its issuer and its purpose are those demanded. */
function isVouchedFor(connector: InboundConnector, presented: Presented): boolean {
  // `*` is no domain, and no name ends with it.
  const isWithin = (name: string) =>
    connector.senderDomains.some((domain) => `.${name}`.endsWith(`.${domain.replace('*.', '')}`))
  const names = presented.names.filter(isWithin)
  return names.length > 0 && identifies({ ...connector, tlsSenderCertificateNames: names }, presented)
}

type Remedy = CertificateNotice['remedies'][number]

/** Of what could be added to a connector, that which would make it know the certificate. */
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
