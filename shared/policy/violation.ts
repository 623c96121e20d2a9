/**
 * Finds the requirement of an inbound connector that a session does not meet, with the reply for the client and the
 * explanation for the administrator.
 */
import type { InboundConnector } from '../connectors/schema.ts'
import type { MessageAuthentication } from '../contract/authentication.ts'
import type { Reply, TlsFacts } from '../contract/message.ts'
import { reply } from '../mail/reply.ts'
import {
  certificateFaults,
  identifiesClient,
  isRevocationUndetermined,
  listText,
  type PresentedCertificate,
  subjectText,
} from './client-certificate.ts'
import type { Reason } from './reasons.ts'
import type { InboundRule } from './snapshot.ts'

export interface Violation {
  reason: Reason
  /** The reply during the session. */
  inSession: Reply
  /** The reply for a message that was accepted in session; its DSN quotes this reply. */
  postQueue: Reply
  explanation: string
  /** The requirement may be found to be met later, so the message waits, whatever `onViolation` says. */
  isUndetermined?: boolean
}

/** The first requirement that the session does not meet. */
export function findViolation(
  { connector, addressRanges: ranges }: InboundRule,
  peer: { ip: string; tls: TlsFacts; presented: PresentedCertificate | null },
): Violation | null {
  const { tls } = peer
  if (connector.requireTls && !tls.negotiated) return tlsMissing(connector)
  if (connector.requireTls && connector.minimumTlsVersion === 'TLSv1.3' && tls.protocol !== 'TLSv1.3')
    return tlsTooOld(connector, tls.protocol)
  if (connector.restrictDomainsToCertificate && !identifiesClient(connector, peer.presented))
    return certificateRestricted(connector, peer.presented)
  if (connector.restrictDomainsToIpAddresses && !ranges.has(peer.ip))
    return addressRestricted(connector, peer.ip)
  return null
}

function tlsMissing(connector: InboundConnector): Violation {
  return {
    reason: 'InboundTlsRequired',
    // RFC 3207 §4
    inSession: reply(530, '5.7.0', 'Must issue a STARTTLS command first'),
    postQueue: reply(550, '5.7.10', 'Encryption needed'),
    explanation: `Connector "${connector.name}" requires TLS, and this session has no TLS.`,
  }
}

function tlsTooOld(connector: InboundConnector, protocol: string | null): Violation {
  const versionReply = reply(550, '5.7.10', 'Encryption needed: TLSv1.3 or later')
  return {
    reason: 'InboundTlsVersion',
    inSession: versionReply,
    postQueue: versionReply,
    explanation: `Connector "${connector.name}" requires TLSv1.3, and this session uses ${protocol ?? 'an unknown version'}.`,
  }
}

/** Temporary, because the check may succeed later: the client keeps the message. */
export const revocationUndeterminedReply = reply(
  451,
  '4.7.51',
  'Cannot determine now whether the client certificate is revoked',
)

const restrictedReply = reply(550, '5.7.51', 'Sender domain is restricted to its own servers')

function certificateRestricted(
  connector: InboundConnector,
  presented: PresentedCertificate | null,
): Violation {
  return {
    reason: 'InboundCertificateRestriction',
    inSession: isRevocationUndetermined(connector, presented) ? revocationUndeterminedReply : restrictedReply,
    postQueue: restrictedReply,
    explanation: `Connector "${connector.name}" ${identificationFault(connector, presented)}.`,
  }
}

/** A clause that follows a connector's name. */
export function identificationFault(
  connector: InboundConnector,
  presented: PresentedCertificate | null,
): string {
  const { tlsSenderCertificateNames: names, certificateFingerprints: fingerprints } = connector
  const expected = [
    names.length > 0 ? `a certificate for ${listText(names)}` : '',
    fingerprints.length > 0 ? `the certificate with fingerprint ${listText(fingerprints, 2)}` : '',
  ]
  const accepts = `accepts only ${expected.filter(Boolean).join(' or ')}`
  if (presented === null) return `${accepts}; none was presented`
  const subject = subjectText(presented.certificate.subject)
  return `${accepts}; presented was ${subject}: ${certificateFaults(connector, presented).join('; ')}`
}

function addressRestricted(connector: InboundConnector, ip: string): Violation {
  return {
    reason: 'InboundAddressRestriction',
    inSession: restrictedReply,
    postQueue: restrictedReply,
    explanation: `Connector "${connector.name}" accepts only its listed addresses; this session comes from ${ip}.`,
  }
}

/** RFC 7372 §3.3. The results are known only after the message was accepted. */
const dmarcReply = reply(550, '5.7.26', 'Message does not pass DMARC')
const dmarcUndeterminedReply = reply(451, '4.7.26', 'Cannot determine now whether the message passes DMARC')

/** @returns null if the connector requires no DMARC, or the message passes */
export function findDmarcViolation(
  connector: Pick<InboundConnector, 'name' | 'requireDmarc'>,
  dmarc: NonNullable<MessageAuthentication['dmarc']>,
): Violation | null {
  if (!connector.requireDmarc || dmarc.result === 'pass') return null
  const isUndetermined = dmarc.result === 'temperror'
  const violationReply = isUndetermined ? dmarcUndeterminedReply : dmarcReply
  return {
    reason: 'InboundDmarcRequired',
    inSession: violationReply,
    postQueue: violationReply,
    explanation: `Connector "${connector.name}" requires that mail passes DMARC, and this message ${dmarcFault(dmarc)}.`,
    ...(isUndetermined && { isUndetermined }),
  }
}

function dmarcFault({ result, fromDomain }: NonNullable<MessageAuthentication['dmarc']>): string {
  if (result === 'temperror')
    return `cannot be checked now${fromDomain === null ? '' : `, because DNS has no answer for ${fromDomain}`}`
  if (fromDomain === null) return 'has no single domain in From:'
  if (result === 'none') return `is from ${fromDomain}, which publishes no DMARC record`
  if (result === 'permerror') return `is from ${fromDomain}, whose DMARC record is not usable`
  return `is from ${fromDomain} without a passing SPF or DKIM result for that domain`
}
