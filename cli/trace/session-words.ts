/** Facts of a session or an attempt in a few words. */
import { printable, timeOf } from '../text/words.ts'
import type { Attempt, ClientCertificate, Entry } from './trace-entry.ts'

export const senderText = (mailFrom: string): string => (mailFrom === '' ? '<>' : printable(mailFrom))

/** How a message came in. */
export function cameIn({ source, tls }: Entry): string {
  if (source === null) return 'made here'
  return tls.negotiated ? (tls.protocol ?? 'TLS') : 'in the clear'
}

/** How an attempt's message left. What was not sent at all must not read like mail in the clear. */
export function leftBy({ tls, host, outcome }: Attempt): string {
  if (host === 'Amazon SES') return 'by Amazon SES'
  const session = tls === null ? sessionWithoutTls(outcome) : sessionOver(tls)
  return outcome === 'TlsNotMet' ? `${session}, nothing was sent` : session
}

function sessionWithoutTls(outcome: string): string {
  if (outcome === 'TlsNotMet') return 'no TLS'
  return outcome === 'Delivered' ? 'in the clear' : 'without TLS'
}

function sessionOver({ protocol, cipher, group, verified }: NonNullable<Attempt['tls']>): string {
  const words = [protocol, cipher, ...(group === null ? [] : [group])]
  return [...words, `certificate ${verified ? 'verified' : 'not verified'}`].join(', ')
}

/** The certificate that was shown, and why it was not verified. */
export function shownBy({ tls }: Attempt): string[] {
  if (tls === null || tls.fingerprint256 === null) return []
  const why = tls.notVerified === null ? [] : [`not verified: ${printable(tls.notVerified)}`]
  return [[`certificate SHA-256 ${tls.fingerprint256}`, ...why].join('; '), ...revocationText(tls)]
}

/** Nothing of what was found to be good. */
function revocationText({ revocation }: Pick<ClientCertificate, 'revocation'>): string[] {
  if (revocation === null || revocation.status === 'Good') return []
  const found = revocation.status === 'Revoked' ? 'revoked' : 'whether it is revoked could not be found out'
  return [`${found}: ${printable(revocation.detail)}`]
}

/** Who demands, in words; what is not here was not known when this was written. */
const sources: Readonly<Record<string, string>> = {
  Connector: 'the connector',
  Dane: "the next hop's TLSA records",
  MtaSts: "the recipient domain's MTA-STS policy",
  RequireTls: "the sender's REQUIRETLS",
}

/** What TLS had to satisfy. */
export function demandOf({ policy, policySource, onTrial }: Attempt): string {
  if (policy === null || policy === 'Opportunistic')
    return onTrial === null ? 'TLS was not demanded' : `${onTrial} was on trial`
  const source = sources[policySource ?? '']
  return source === undefined ? `${policy} was demanded` : `${policy} was demanded by ${source}`
}

export function certificateText(certificate: ClientCertificate): string[] {
  const { subject, subjectAltNames, issuer, fingerprint256, notBefore, notAfter, trusted, trustError } =
    certificate
  return [
    `${printable(subject)}, issued by ${printable(issuer)}`,
    ...(subjectAltNames.length > 0 ? [`names ${subjectAltNames.map(printable).join(', ')}`] : []),
    `valid from ${timeOf(notBefore)} to ${timeOf(notAfter)}`,
    trusted ? 'of a trusted authority' : `not of a public authority (${trustError ?? 'unknown'})`,
    ...revocationText(certificate),
    `SHA-256 ${fingerprint256}`,
  ]
}
