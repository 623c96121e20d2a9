/**
 * The trace header this hop adds (RFC 5321 §4.4). The attack: a client whose HELO name, certificate or address
 * writes header lines of its own, or words a reader takes for ours. The defence: what came from the client is
 * reduced to characters that mean nothing in a header.
 */
import { isIPv6 } from 'node:net'
import type { TlsFacts } from '../contract/message.ts'

export interface Hop {
  helo: string
  ip: string
  /** Our own name. */
  by: string
  id: string
  esmtp: boolean
  smtpUtf8: boolean
  tls: TlsFacts
  /** Named only when it is the one recipient: a second name would tell one recipient of another. */
  recipient: string | null
  at: Date
}

/** The header with its final CRLF. */
export function receivedHeader(hop: Hop): string {
  const lines = [
    `Received: from ${heloName(hop.helo)} (${addressLiteral(hop.ip)})`,
    ...tlsComments(hop.tls),
    `\tby ${hop.by} with ${protocol(hop)} id ${hop.id}`,
    ...forClause(hop),
    ...tlsClause(hop.tls),
  ]
  return `${lines.join('\r\n')};\r\n\t${hop.at.toUTCString().replace('GMT', '+0000')}\r\n`
}

/** RFC 3848 §1 and RFC 6531 §4.3. TLS follows EHLO, so what uses it is ESMTP whatever came later. */
function protocol({ esmtp, smtpUtf8, tls }: Hop): string {
  if (!esmtp && !tls.negotiated) return 'SMTP'
  return `${smtpUtf8 ? 'UTF8SMTP' : 'ESMTP'}${tls.negotiated ? 'S' : ''}`
}

/** RFC 8314 §4.3: the cipher suite by its registered name, after the clauses of RFC 5321. */
function tlsClause({ negotiated, cipher }: TlsFacts): string[] {
  return negotiated && cipher !== null ? [`\ttls ${cipher}`] : []
}

function forClause(hop: Hop): string[] {
  return hop.recipient !== null && mayBeWritten(hop.recipient, hop) ? [`\tfor <${hop.recipient}>`] : []
}

/** What the tls clause has no room for, in the words that tools know from other servers. */
function tlsComments({ negotiated, protocol, cipher, clientCertificate }: TlsFacts): string[] {
  if (!negotiated) return []
  const session = `\t(using ${protocol} with cipher ${cipher})`
  if (clientCertificate === null) return [session]
  const name = commentText(clientCertificate.commonName ?? clientCertificate.subject)
  return [
    session,
    `\t(client certificate "${name}", ${clientCertificate.trusted ? 'verified' : 'not verified'})`,
  ]
}

/** A domain or an address literal stands as it was said; anything else is not repeated. */
function heloName(helo: string): string {
  return /^(?=.{1,255}$)(\[[0-9a-z.:]+\]|[0-9a-z_]([0-9a-z_.-]*[0-9a-z_])?)$/i.test(helo) ? helo : 'unknown'
}

/** RFC 5321 §4.1.3 */
function addressLiteral(ip: string): string {
  return isIPv6(ip) ? `[IPv6:${ip}]` : `[${ip}]`
}

function commentText(value: string): string {
  return value.replace(/[^ !#-'*-[\]-~]/g, '?').slice(0, 100)
}

function mayBeWritten(address: string, { smtpUtf8 }: Hop): boolean {
  return smtpUtf8 ? /^[^\p{Cc}\s<>]+$/u.test(address) : /^[!-;=?-~]+$/.test(address)
}
