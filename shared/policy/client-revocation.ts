/**
 * Whether it matters to anybody that a client's certificate may be revoked. The attack: a stranger shows a certificate
 * that names addresses of his choice as those to ask, and has us call there. The defence: only a certificate by which a
 * connector would take the mail is asked about, so its issuer is one that the connector trusts, or the very certificate
 * is pinned.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { TlsFacts } from '../contract/message.ts'
import type { Revocation } from '../contract/revocation.ts'
import { inOneLine } from '../mail/peer-words.ts'
import { judgeInbound, type Session } from './inbound.ts'
import type { Snapshot } from './snapshot.ts'
import { knownTo } from './unknown-certificate.ts'

/** The connectors that would take mail by the certificate of a session, were it not revoked, and ask whether it is. */
export function askingForRevocation(snapshot: Snapshot, session: Session): InboundConnector[] {
  const { clientCertificate } = session.tls
  if (clientCertificate === null || clientCertificate.revocation) return []
  const good = { ...session, tls: withRevocation(session.tls, { status: 'Good', detail: '' }) }
  return knownTo(good, judgeInbound(snapshot, good)).filter(
    ({ revocationCheck }) => revocationCheck !== 'None',
  )
}

/** Characters: it travels in every job of the session. */
const longestDetail = 300

export function withRevocation(tls: TlsFacts, { status, detail }: Revocation): TlsFacts {
  const { clientCertificate } = tls
  if (clientCertificate === null) return tls
  const revocation = { status, detail: inOneLine(detail, longestDetail) }
  return { ...tls, clientCertificate: { ...clientCertificate, revocation } }
}
