/** The client of past mail, as policy functions read it, from the columns of its events. Pure. */
import type { InboundConnector } from '../../connectors/schema.ts'
import { dayMs } from '../../contract/durations.ts'
import { maxCertificateColumnLength } from '../../contract/events.ts'
import { type ClientCertificate, noTls, type TlsFacts } from '../../contract/message.ts'
import { hasName, isPinned, toPresentedCertificate } from '../../policy/client-certificate.ts'
import { certificateCandidates, evaluateInbound, type Session } from '../../policy/inbound.ts'
import { changeSnapshot, type ItemChange, type Snapshot } from '../../policy/snapshot.ts'
import { trustAnchorsDigest } from '../../tls/trust-anchors-digest.ts'
import type { Assume } from './assumptions.ts'
import type { ArrivalColumns, MailFacts } from './mail-facts.ts'

/** @param snapshot whose names a certificate may have among those that its event does not hold */
export function pastTls(
  { at, arrival, clientChain }: MailFacts,
  snapshot: Snapshot,
  assume: Assume,
): TlsFacts {
  const { tlsVersion, clientCertificateSha256 } = arrival
  if (tlsVersion === undefined) return noTls
  return {
    ...noTls,
    negotiated: true,
    protocol: tlsVersion,
    clientCertificate:
      clientCertificateSha256 === undefined
        ? null
        : {
            ...pastCertificate(arrival, new Date(at), assume),
            fingerprint256: clientCertificateSha256,
            subjectAltNames: pastNames(arrival, snapshot, assume),
            chain: clientChain ? [...clientChain] : [],
          },
  }
}

function pastCertificate(
  arrival: ArrivalColumns,
  at: Date,
  assume: Assume,
): Omit<ClientCertificate, 'fingerprint256' | 'subjectAltNames' | 'chain'> {
  const { clientCertificateVerdict: verdict, revocation } = arrival
  return {
    subject: '',
    issuer: '',
    serial: '',
    commonName: arrival.clientCertificateCommonName ?? null,
    ...pastDates(arrival.clientCertificateValidity, at),
    trusted: verdict === 'trusted',
    trustError: verdict === 'trusted' ? null : (verdict ?? null),
    clientAuth:
      arrival.clientAuth ??
      assume({
        key: 'client authentication',
        sentence: 'The events do not hold whether the certificate may be used for client authentication.',
        values: [true, false],
      }),
    ...(revocation && { revocation: { status: revocation, detail: '' } }),
  }
}

function pastDates(validity: ArrivalColumns['clientCertificateValidity'], at: Date) {
  const days = (count: number) => new Date(at.getTime() + count * dayMs).toISOString()
  if (validity === 'Expired') return { notBefore: days(-2), notAfter: days(-1) }
  return validity === 'NotYetValid'
    ? { notBefore: days(1), notAfter: days(2) }
    : { notBefore: days(-1), notAfter: days(1) }
}

/** A certificate with many names has only the first of them in its event. */
function pastNames(
  { clientCertificateNames = '' }: ArrivalColumns,
  snapshot: Snapshot,
  assume: Assume,
): string[] {
  const names = clientCertificateNames.split(' ').filter((name) => name !== '')
  if (clientCertificateNames.length < maxCertificateColumnLength) return names
  const hasFurtherNames = assume({
    key: 'further names of the client certificate',
    sentence: 'The events do not hold all names of the client certificate.',
    values: [false, true],
  })
  // The last name may be cut.
  return [...names.slice(0, -1), ...(hasFurtherNames ? expectedNames(snapshot) : [])]
}

const expectedNames = ({ all }: Snapshot): string[] =>
  [...all.inbound.entries()].flatMap(([, { connector }]) => connector.tlsSenderCertificateNames)

/**
 * Returns the snapshot in which each connector with its own authorities accepts the session's certificate or not, as is
 * assumed for these authorities: such a connector has the certificate pinned. Events do not hold the chain. With a chain,
 * and where no such connector expects one of the certificate's names, the snapshot stays as it is.
 * @param scope as for evaluateInbound
 * @param trustAnchors digest of the authorities to which the chain leads, as far as it is known
 */
export function assumeOwnAuthorities(
  snapshot: Snapshot,
  session: Session,
  scope: string | null,
  { assume, trustAnchors }: { assume: Assume; trustAnchors: string | undefined },
): Snapshot {
  const presented = toPresentedCertificate(session.tls.clientCertificate, session.at)
  if (presented === null || presented.certificate.chain.length > 0) return snapshot
  const { fingerprint256 } = presented.certificate
  const { partner, reportOnlyPartner } = evaluateInbound(snapshot, session, scope)
  const candidates = new Set([
    ...[...certificateCandidates(snapshot.onPremises, presented)].map(({ connector }) => connector),
    ...[partner, reportOnlyPartner].filter((connector) => connector !== null),
  ])
  const accepting = [...candidates].filter(
    (connector) =>
      connector.certificateAuthorities.length > 0 &&
      hasName(connector, presented) &&
      !isPinned(connector, presented) &&
      (leadsToKnown(connector, trustAnchors) || leadsToAuthorities(connector, fingerprint256, assume)),
  )
  return withPinned(snapshot, accepting, fingerprint256)
}

/** The event of accepted mail says to which authorities the chain led. */
const leadsToKnown = (
  { certificateAuthorities, requireClientAuthEku }: InboundConnector,
  trustAnchors: string | undefined,
): boolean => !requireClientAuthEku && trustAnchors === trustAnchorsDigest(certificateAuthorities)

const leadsToAuthorities = (
  { name, certificateAuthorities, requireClientAuthEku }: InboundConnector,
  fingerprint: string,
  assume: Assume,
): boolean =>
  assume({
    key: ['chain', fingerprint, trustAnchorsDigest(certificateAuthorities), requireClientAuthEku].join(' '),
    sentence: `The events do not hold the chain of the client certificate, and connector "${name}" trusts its own authorities.`,
    values: [false, true],
  })

/** A change of a snapshot takes about a millisecond, and the same certificates come often. */
const pinnedSnapshots = new WeakMap<Snapshot, Map<string, Snapshot>>()

function withPinned(
  snapshot: Snapshot,
  connectors: readonly InboundConnector[],
  fingerprint: string,
): Snapshot {
  if (connectors.length === 0) return snapshot
  const cache = pinnedSnapshots.get(snapshot) ?? new Map<string, Snapshot>()
  pinnedSnapshots.set(snapshot, cache)
  const key = [fingerprint, ...connectors.map(({ id }) => id)].join(' ')
  const changes = connectors.map(
    (connector): ItemChange => ({
      kind: 'inbound-connector',
      key: connector.id,
      item: { ...connector, certificateFingerprints: [...connector.certificateFingerprints, fingerprint] },
    }),
  )
  const pinned = cache.get(key) ?? changeSnapshot(snapshot, snapshot.version, changes)
  cache.set(key, pinned)
  return pinned
}
