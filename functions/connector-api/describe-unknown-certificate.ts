/**
 * Describes an unknown certificate for administrators: whether it still needs an act, and what makes the connector accept
 * it. The remedies were tested when the certificate was presented. Not covered: a certificate that was revoked since, and
 * a change of the public roots. If the connector still refuses the certificate, its next presentation shows it again.
 */
import type { InboundConnector } from '../../shared/connectors/schema.ts'
import type { CertificateNotice } from '../../shared/contract/jobs.ts'
import type { StoredNotice, UnknownCertificate } from '../../shared/messages/unknown-certificate-item.ts'
import { trustDigest } from '../../shared/policy/trust-digest.ts'
import { anyNameMatches, presentedNames } from '../../shared/tls/names.ts'

export type UnknownState = 'Open' | 'Resolved' | 'Dismissed'

export type Proposal = CertificateNotice['remedies'][number] & {
  /** The merge patch that makes the addition. */
  patch: Partial<Pick<InboundConnector, 'certificateFingerprints' | 'tlsSenderCertificateNames'>>
}

/** @param connector null if it is deleted */
export function unknownState(
  { notice, dismissal }: Pick<UnknownCertificate, 'notice' | 'dismissal'>,
  connector: InboundConnector | null,
  now: Date,
): UnknownState {
  if (connector === null || !expectsCertificate(connector) || acceptsNow(notice, connector, now))
    return 'Resolved'
  return dismissal !== null && new Date(dismissal.until) > now ? 'Dismissed' : 'Open'
}

/** The additions that the connector does not have, the safest first. */
export function proposals(notice: StoredNotice, connector: InboundConnector | null, now: Date): Proposal[] {
  if (connector === null || !isInDates(notice, now)) return []
  return notice.remedies
    .filter(({ field }) => field === 'certificateFingerprints' || isTrustUnchanged(notice, connector))
    .filter(({ field, add }) => !connector[field].includes(add))
    .map((remedy) => ({ ...remedy, patch: { [remedy.field]: [...connector[remedy.field], remedy.add] } }))
}

const expectsCertificate = ({
  enabled,
  connectorType,
  restrictDomainsToCertificate,
}: InboundConnector): boolean => enabled && (connectorType === 'OnPremises' || restrictDomainsToCertificate)

function acceptsNow(notice: StoredNotice, connector: InboundConnector, now: Date): boolean {
  if (!isInDates(notice, now) || isRevoked(notice, connector)) return false
  if (connector.certificateFingerprints.includes(notice.presented.fingerprint256)) return true
  const { tlsSenderCertificateNames: names } = connector
  // A remedy of this field says that a name is all that the certificate lacked, so any of its names is enough.
  const isListed = ({ field, add }: StoredNotice['remedies'][number]) =>
    field === 'tlsSenderCertificateNames' &&
    (names.includes(add) ||
      anyNameMatches([add, ...presentedNames({ ...notice.presented, commonName: null })], names))
  return isTrustUnchanged(notice, connector) && notice.remedies.some(isListed)
}

const isInDates = ({ presented }: StoredNotice, now: Date): boolean =>
  new Date(presented.notBefore) <= now && now <= new Date(presented.notAfter)

const isRevoked = ({ facts }: StoredNotice, { revocationCheck }: InboundConnector): boolean =>
  revocationCheck !== 'None' && facts.revocation === 'Revoked'

const isTrustUnchanged = (notice: StoredNotice, connector: InboundConnector): boolean =>
  notice.trustDigest === trustDigest(connector)
