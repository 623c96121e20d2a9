/** Formats a session or an attempt in one line. */
import { formatTime, printable } from '../text/format.ts'
import type { Attempt, ClientCertificate, TraceEntry } from './trace-entry.ts'

export const senderText = (mailFrom: string): string => (mailFrom === '' ? '<>' : printable(mailFrom))

/** Describes how a message was received. */
export function inboundSessionText({ source, tls }: TraceEntry): string {
  if (source === null) return 'created by mailflow'
  return tls.negotiated ? (tls.protocol ?? 'TLS') : 'in the clear'
}

/** Describes the session of an attempt. A message that was not sent must not look like a message sent in the clear. */
export function outboundSessionText({ tls, host, outcome }: Attempt): string {
  if (host === 'Amazon SES') return 'through Amazon SES'
  const session = tls === null ? sessionWithoutTls(outcome) : tlsSessionText(tls)
  return outcome === 'TlsNotMet' ? `${session}, not sent` : session
}

function sessionWithoutTls(outcome: string): string {
  if (outcome === 'TlsNotMet') return 'no TLS'
  return outcome === 'Delivered' ? 'in the clear' : 'without TLS'
}

function tlsSessionText({ protocol, cipher, group, verified }: NonNullable<Attempt['tls']>): string {
  const parameters = [protocol, cipher, ...(group === null ? [] : [group])]
  return [...parameters, `certificate ${verified ? 'verified' : 'not verified'}`].join(', ')
}

/** Describes the presented certificate, and why it was not verified. */
export function presentedCertificateText({ tls }: Attempt): string[] {
  if (tls === null || tls.fingerprint256 === null) return []
  const reason = tls.notVerified === null ? [] : [`not verified: ${printable(tls.notVerified)}`]
  return [[`certificate SHA-256 ${tls.fingerprint256}`, ...reason].join('; '), ...revocationText(tls)]
}

/** Returns nothing when the status is good, or revocation was not checked. */
function revocationText({ revocation }: Pick<ClientCertificate, 'revocation'>): string[] {
  if (revocation === null || revocation.status === 'Good') return []
  const status = revocation.status === 'Revoked' ? 'revoked' : 'revocation undetermined'
  return [`${status}: ${printable(revocation.detail)}`]
}

/** Texts of the sources of a TLS requirement. Newer gateways may have other sources. */
const sources: Readonly<Record<string, string>> = {
  Connector: 'the connector',
  Dane: "the next hop's TLSA records",
  MtaSts: "the recipient domain's MTA-STS policy",
  RequireTls: "the sender's REQUIRETLS",
}

/** Describes the TLS requirement of an attempt and its source. */
export function requirementText({ policy, policySource, reportOnlyLevel }: Attempt): string {
  if (policy === null || policy === 'Opportunistic')
    return reportOnlyLevel === null ? 'TLS was not required' : `${reportOnlyLevel} was report only`
  const source = sources[policySource ?? '']
  return source === undefined ? `${policy} was required` : `${policy} was required by ${source}`
}

/** Describes what a connector requires. Returns `Opportunistic` if it requires nothing. */
export function tlsRequirementText(requirement: {
  level: string
  smtpDaneMode: string
  mtaStsMode: string
}): string {
  const policies = [
    requirement.smtpDaneMode === 'Mandatory' ? 'DANE' : '',
    requirement.mtaStsMode === 'Mandatory' ? 'MTA-STS' : '',
  ].filter(Boolean)
  const level = requirement.level === 'Opportunistic' && policies.length > 0 ? [] : [requirement.level]
  return [...level, ...policies].join(' and ')
}

export function certificateText(certificate: ClientCertificate): string[] {
  const { subject, subjectAltNames, issuer, fingerprint256, notBefore, notAfter, trusted, trustError } =
    certificate
  return [
    `${printable(subject)}, issued by ${printable(issuer)}`,
    ...(subjectAltNames.length > 0 ? [`names ${subjectAltNames.map(printable).join(', ')}`] : []),
    `valid from ${formatTime(notBefore)} to ${formatTime(notAfter)}`,
    trusted ? 'trusted by the public roots' : `not trusted by the public roots (${trustError ?? 'unknown'})`,
    ...revocationText(certificate),
    `SHA-256 ${fingerprint256}`,
  ]
}
