/**
 * Finds the certificates in use: the days that each has left, the effect of its expiry on mail, and the notices that
 * are due. Includes the certificates of mailflow, and of the clients and servers that connectors name. Does not include
 * those of disabled or deleted connectors, those of servers whose domain a connector matched only by `*` (except smart
 * hosts), and those that are no longer presented.
 */
import type { InboundConnector, OutboundConnector } from '../connectors/schema.ts'
import { isClientCertificateSecret } from '../contract/secrets.ts'
import { domainMatchesPattern } from '../mail/domain.ts'
import { assessCertificateUse, daysLeft, dueNoticeDay } from '../tls/observed/expiry.ts'
import type { Observation, ObservedCertificate, ObservedKind } from '../tls/observed/observation.ts'

/** A certificate of the ingress, and its announced successor. */
export interface ServedCertificate {
  fingerprint256: string
  successor: { fingerprint256: string; servedFrom: string; notAfter: string } | null
}

export interface ExpiryContext {
  connectors: { inbound: readonly InboundConnector[]; outbound: readonly OutboundConnector[] }
  servedCertificates: readonly ServedCertificate[]
}

/** The effect on mail when the certificate expires. */
export type Consequence =
  | 'SendersDistrust'
  | 'MailWaits'
  | 'MailReturns'
  | 'MailHeld'
  | 'MailRefused'
  | 'RelayDenied'
  /** Dates are ignored for TLSA records that name the certificate or its key (RFC 7672 §3.1.1). */
  | 'AsTlsaSays'
  | 'RecordedOnly'
  | 'Nothing'

const harmlessConsequences: readonly Consequence[] = ['AsTlsaSays', 'RecordedOnly', 'Nothing']

export interface ExpiryGauge {
  observedAs: ObservedKind
  /** The connector's name. */
  connector: string | null
  daysLeft: number
  stopsMail: boolean
}

export interface ExpiryNotice {
  observedAs: ObservedKind
  /** Null for the certificates of the ingress. */
  connector: { id: string; name: string; connectorType: 'Partner' | 'OnPremises' } | null
  hosts: string[]
  certificate: ObservedCertificate
  /** The number of days before expiry for which the due notice is scheduled. `daysLeft` is the actual number. */
  days: number
  daysLeft: number
  consequence: Consequence
  /**
   * The certificate that expires last, among those that expire later than this certificate and either were observed on
   * the same host or share a name with it. Null if there is none.
   */
  newer: (Pick<ObservedCertificate, 'fingerprint256' | 'notAfter' | 'firstSeen'> & { host: string }) | null
}

export interface CertificateExpiry {
  gauges: ExpiryGauge[]
  /** Sorted by expiry, the earliest first. */
  notices: ExpiryNotice[]
}

export interface CertificateInUse {
  observation: Observation
  certificate: ObservedCertificate
  connector: ExpiryNotice['connector']
  consequence: Consequence
}

export function findExpiringCertificates(inUse: readonly CertificateInUse[], now: Date): CertificateExpiry {
  const gauges = inUse.map(({ observation, certificate, connector, consequence }) => ({
    observedAs: observation.kind,
    connector: connector?.name ?? null,
    daysLeft: daysLeft(certificate, now),
    stopsMail: !harmlessConsequences.includes(consequence),
  }))
  const sameCertificate = Map.groupBy(inUse, ({ observation, connector, certificate }) =>
    [observation.kind, connector?.id, certificate.fingerprint256].join(' '),
  )
  const notices = [...sameCertificate.values()].flatMap((uses) => noticeOf(uses, inUse, now))
  return { gauges, notices: notices.sort((one, other) => one.daysLeft - other.daysLeft) }
}

/**
 * Takes one observation, so that the caller can discard the many observations of unrelated servers as it reads them.
 */
export function findCertificatesInUse(
  observation: Observation,
  context: ExpiryContext,
  now: Date,
): CertificateInUse[] {
  if (observation.kind === 'Own' && observation.connector === null)
    return findOwnCertificatesInUse(observation, context.servedCertificates)
  const owner = ownerOf(observation, context.connectors)
  if (owner === null) return []
  const { id, name, connectorType } = owner.connector
  return observation.certificates
    .filter((certificate) => assessCertificateUse(certificate, observation, now) === 'InUse')
    .map((certificate) => ({
      observation,
      certificate,
      connector: { id, name, connectorType },
      consequence: consequenceOf(owner, certificate),
    }))
}

/** The certificates that the ingress serves, without those whose successor is served before they expire. */
function findOwnCertificatesInUse(
  observation: Observation,
  served: readonly ServedCertificate[],
): CertificateInUse[] {
  return observation.certificates
    .filter(({ fingerprint256, notAfter }) =>
      served.some(
        (candidate) =>
          candidate.fingerprint256 === fingerprint256 &&
          (candidate.successor === null || candidate.successor.servedFrom >= notAfter),
      ),
    )
    .map((certificate) => ({
      observation,
      certificate,
      connector: null,
      consequence: 'SendersDistrust' as const,
    }))
}

type Owner =
  | { side: 'Own' | 'PartnerServer'; connector: OutboundConnector }
  | { side: 'PartnerClient'; connector: InboundConnector }

function ownerOf(observation: Observation, { inbound, outbound }: ExpiryContext['connectors']): Owner | null {
  const isObservedConnector = ({ id, enabled }: InboundConnector | OutboundConnector) =>
    enabled && id === observation.connector?.id
  if (observation.kind === 'PartnerClient') {
    const connector = inbound.find(isObservedConnector)
    return connector === undefined ? null : { side: 'PartnerClient', connector }
  }
  const connector = outbound.find(isObservedConnector)
  const side = observation.kind
  if (connector === undefined) return null
  const isRelevant =
    side === 'Own' ? isPresented(observation, connector) : isAgreedPartner(observation, connector)
  return isRelevant ? { side, connector } : null
}

const isPresented = ({ host }: Observation, { clientCertificate }: OutboundConnector): boolean =>
  clientCertificate !== null && isClientCertificateSecret(host, clientCertificate)

function isAgreedPartner(
  { domain }: Observation,
  { route, allAcceptedDomains, recipientDomains }: OutboundConnector,
): boolean {
  if (route === 'SmartHosts' || allAcceptedDomains || domain === null) return true
  return recipientDomains.some((pattern) => pattern !== '*' && domainMatchesPattern(domain, pattern))
}

function consequenceOf(owner: Owner, { verifiedBy }: ObservedCertificate): Consequence {
  switch (owner.side) {
    case 'Own':
      return 'MailWaits'
    case 'PartnerServer':
      return nextHopConsequence(owner.connector, verifiedBy)
    case 'PartnerClient':
      return senderConsequence(owner.connector)
  }
}

function nextHopConsequence(
  { tlsSettings, mode, onTlsFailure, mtaStsMode }: OutboundConnector,
  verifiedBy: ObservedCertificate['verifiedBy'],
): Consequence {
  const verifies = tlsSettings === 'CertificateValidation' || tlsSettings === 'DomainValidation'
  if ((verifies || mtaStsMode === 'Mandatory') && mode === 'Enforce')
    return onTlsFailure === 'Bounce' ? 'MailReturns' : 'MailWaits'
  if (verifiedBy === 'MtaSts' || verifiedBy === 'RequireTls') return 'MailWaits'
  if (verifiedBy === 'Dane') return 'AsTlsaSays'
  return verifies ? 'RecordedOnly' : 'Nothing'
}

function senderConsequence({
  connectorType,
  mode,
  onViolation,
  restrictDomainsToCertificate,
}: InboundConnector): Consequence {
  if (connectorType === 'OnPremises') return 'RelayDenied'
  if (!restrictDomainsToCertificate) return 'Nothing'
  if (mode === 'ReportOnly') return 'RecordedOnly'
  return onViolation === 'Defer' ? 'MailHeld' : 'MailRefused'
}

/** @param uses the same certificate on each of its hosts; one notice covers all of them */
function noticeOf(
  uses: readonly CertificateInUse[],
  all: readonly CertificateInUse[],
  now: Date,
): ExpiryNotice[] {
  const dueDays = uses.flatMap(
    ({ certificate, observation }) => dueNoticeDay(certificate, observation, now) ?? [],
  )
  const [first] = uses
  if (first === undefined || dueDays.length === 0) return []
  const { certificate, connector, consequence, observation } = first
  return [
    {
      observedAs: observation.kind,
      connector,
      hosts: uses.map((use) => use.observation.host).sort(),
      certificate,
      days: Math.min(...dueDays),
      daysLeft: daysLeft(certificate, now),
      consequence,
      newer: findNewer(first, all),
    },
  ]
}

/** Compares the certificates of the same host, and those that share a name. */
function findNewer(
  { observation, certificate, connector }: CertificateInUse,
  all: readonly CertificateInUse[],
): ExpiryNotice['newer'] {
  const names = new Set(certificate.subjectAltNames)
  const newer = all.filter(
    (other) =>
      other.observation.kind === observation.kind &&
      other.connector?.id === connector?.id &&
      other.certificate.notAfter > certificate.notAfter &&
      (other.observation.host === observation.host ||
        other.certificate.subjectAltNames.some((name) => names.has(name))),
  )
  const latest = newer.reduce<CertificateInUse | null>(
    (best, other) => (best && best.certificate.notAfter >= other.certificate.notAfter ? best : other),
    null,
  )
  if (latest === null) return null
  const { fingerprint256, notAfter, firstSeen } = latest.certificate
  return { fingerprint256, notAfter, firstSeen, host: latest.observation.host }
}
