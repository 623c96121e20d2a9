/**
 * Decides whether to check the revocation of a client's certificate. The attack: a client presents a certificate whose
 * CRL or OCSP addresses it chose, and makes the ingress connect there. The defence: only a certificate that a connector
 * would accept is checked. Such a certificate has a trusted issuer, or is pinned.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { TlsFacts } from '../contract/message.ts'
import type { Revocation } from '../contract/revocation.ts'
import { toSingleLine } from '../mail/peer-text.ts'
import { evaluateInbound, type Session } from './inbound.ts'
import type { Snapshot } from './snapshot.ts'
import { connectorsAcceptingCertificate } from './unknown-certificate.ts'

/**
 * The connectors that would accept the session's certificate if it were not revoked, and that check revocation.
 * @param recipientDomain as for evaluateInbound
 */
export function connectorsCheckingRevocation(
  snapshot: Snapshot,
  session: Session,
  recipientDomain?: string | null,
): InboundConnector[] {
  const { clientCertificate } = session.tls
  if (clientCertificate === null || clientCertificate.revocation) return []
  const sessionIfNotRevoked = { ...session, tls: withRevocation(session.tls, { status: 'Good', detail: '' }) }
  return connectorsAcceptingCertificate(
    sessionIfNotRevoked,
    evaluateInbound(snapshot, sessionIfNotRevoked, recipientDomain),
  ).filter(({ revocationCheck }) => revocationCheck !== 'None')
}

/** In characters. Every job of the session carries the detail. */
const maxDetailLength = 300

export function withRevocation(tls: TlsFacts, { status, detail }: Revocation): TlsFacts {
  const { clientCertificate } = tls
  if (clientCertificate === null) return tls
  const revocation = { status, detail: toSingleLine(detail, maxDetailLength) }
  return { ...tls, clientCertificate: { ...clientCertificate, revocation } }
}
