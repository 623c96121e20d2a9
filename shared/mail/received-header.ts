/**
 * The `Received` header field of this hop (RFC 5321 §4.4). The attack: a HELO name, certificate or address adds
 * header lines, or adds text that a reader attributes to this system. The defence: text from the client is reduced to
 * printable characters, replaced or left out.
 */
import { isIPv6 } from 'node:net'
import type { TlsFacts } from '../contract/message.ts'

export interface ReceivedFields {
  helo: string
  ip: string
  /** The ingress's name. */
  by: string
  id: string
  esmtp: boolean
  smtpUtf8: boolean
  tls: TlsFacts
  /** Null when there are several recipients: the name of one would be disclosed to the others. */
  recipient: string | null
  at: Date
}

/** Returns the header field with its final CRLF. */
export function receivedHeader(fields: ReceivedFields): string {
  const lines = [
    `Received: from ${printableHelo(fields.helo)} (${addressLiteral(fields.ip)})`,
    ...tlsComments(fields.tls),
    `\tby ${fields.by} with ${protocol(fields)} id ${fields.id}`,
    ...forClause(fields),
    ...tlsClause(fields.tls),
  ]
  return `${lines.join('\r\n')};\r\n\t${fields.at.toUTCString().replace('GMT', '+0000')}\r\n`
}

/** RFC 3848 §1 and RFC 6531 §4.3. TLS starts after EHLO, so a session with TLS is ESMTP. */
function protocol({ esmtp, smtpUtf8, tls }: ReceivedFields): string {
  if (!esmtp && !tls.negotiated) return 'SMTP'
  return `${smtpUtf8 ? 'UTF8SMTP' : 'ESMTP'}${tls.negotiated ? 'S' : ''}`
}

/** RFC 8314 §4.3: the registered name of the cipher suite, after the clauses of RFC 5321. */
function tlsClause({ negotiated, cipher }: TlsFacts): string[] {
  return negotiated && cipher !== null ? [`\ttls ${cipher}`] : []
}

function forClause(fields: ReceivedFields): string[] {
  return fields.recipient !== null && isPrintableAddress(fields.recipient, fields)
    ? [`\tfor <${fields.recipient}>`]
    : []
}

/** The session and the client certificate in the format of other mail servers, which tools can parse. */
function tlsComments({ negotiated, protocol, cipher, clientCertificate }: TlsFacts): string[] {
  if (!negotiated) return []
  const session = `\t(using ${protocol} with cipher ${cipher})`
  if (clientCertificate === null) return [session]
  const name = toCommentText(clientCertificate.commonName ?? clientCertificate.subject)
  return [
    session,
    `\t(client certificate "${name}", ${clientCertificate.trusted ? 'verified' : 'not verified'})`,
  ]
}

/** Returns a domain or an address literal unchanged, and `unknown` for any other text. */
function printableHelo(helo: string): string {
  return /^(?=.{1,255}$)(\[[0-9a-z.:]+\]|[0-9a-z_]([0-9a-z_.-]*[0-9a-z_])?)$/i.test(helo) ? helo : 'unknown'
}

/** RFC 5321 §4.1.3 */
function addressLiteral(ip: string): string {
  return isIPv6(ip) ? `[IPv6:${ip}]` : `[${ip}]`
}

function toCommentText(value: string): string {
  return value.replace(/[^ !#-'*-[\]-~]/g, '?').slice(0, 100)
}

function isPrintableAddress(address: string, { smtpUtf8 }: ReceivedFields): boolean {
  return smtpUtf8 ? /^[^\p{Cc}\s<>]+$/u.test(address) : /^[!-;=?-~]+$/.test(address)
}
