/**
 * The keys of session tickets (RFC 8446 §4.6.1), the same in all tasks without a word between them. The attack: who
 * has a ticket's key reads the session in it, may pose as this server to the session's client, and can make tickets of
 * sessions that never were, with any client certificate in them. The defence: the key follows from the server's
 * private key, so that nobody has it who could not pose as the server anyway; it changes every hour; and a session
 * with a client certificate is never resumed (service.ts). The limit: whoever steals the private key learns which
 * certificates clients have shown, and of the mail nothing: TLS 1.3 agrees on new keys in each session.
 */
import { createDecipheriv, createHmac, createPrivateKey, hkdfSync, timingSafeEqual } from 'node:crypto'

/**
 * How long a key is used, and with it the longest that sessions can be resumed from one handshake: each resumption
 * brings a new ticket, so the lifetime of a single one bounds nothing.
 */
export const ticketPeriodMs = 3_600_000

/** As OpenSSL has them through Node: name, key of the code, key of the cipher; 16 octets each. */
export type TicketKeys = Buffer

export const periodOf = (at: Date): number => Math.floor(at.getTime() / ticketPeriodMs)

/** @param privateKeys PEM, in the same order in all tasks */
export function ticketKeysOf(privateKeys: readonly string[], period: number): TicketKeys {
  const secret = Buffer.concat(
    privateKeys.map((key) => createPrivateKey(key).export({ type: 'pkcs8', format: 'der' })),
  )
  return Buffer.from(hkdfSync('sha256', secret, '', `mailflow session tickets ${period}`, 48))
}

const nameLength = 16
const vectorLength = 16
const codeLength = 32

/**
 * @param ticket any octets
 * @returns the session in it (DER of OpenSSL's SSL_SESSION), or null when it was not made with these keys
 */
export function openTicket(ticket: Buffer, keys: TicketKeys): Buffer | null {
  const sealed = ticket.length - codeLength
  if (sealed <= nameLength + vectorLength) return null
  if (!ticket.subarray(0, nameLength).equals(keys.subarray(0, 16))) return null
  const code = createHmac('sha256', keys.subarray(16, 32)).update(ticket.subarray(0, sealed)).digest()
  if (!timingSafeEqual(code, ticket.subarray(sealed))) return null
  const vector = ticket.subarray(nameLength, nameLength + vectorLength)
  const decipher = createDecipheriv('aes-128-cbc', keys.subarray(32, 48), vector)
  return Buffer.concat([
    decipher.update(ticket.subarray(nameLength + vectorLength, sealed)),
    decipher.final(),
  ])
}

/** SSL_SESSION's field for the peer's certificate: context-specific, constructed, number 3. */
const peerCertificate = 0xa3
const sequence = 0x30

/**
 * Whether a client certificate is in a session.
 * @param session DER; of what cannot be read, it is assumed
 */
export function holdsCertificate(session: Buffer): boolean {
  const [all] = elementsOf(session) ?? []
  const fields = all?.tag === sequence ? elementsOf(all.content) : null
  return fields?.some(({ tag }) => tag === peerCertificate) ?? true
}

interface Element {
  tag: number
  content: Buffer
}

/** @returns null where a length goes beyond the end */
function elementsOf(der: Buffer): Element[] | null {
  const elements: Element[] = []
  let at = 0
  while (at < der.length) {
    const tag = der[at] as number
    const first = der[at + 1]
    if (first === undefined) return null
    const octets = first < 0x80 ? 0 : first - 0x80
    const begin = at + 2 + octets
    if (octets > 3 || begin > der.length) return null
    const length = octets === 0 ? first : der.readUIntBE(at + 2, octets)
    if (begin + length > der.length) return null
    elements.push({ tag, content: der.subarray(begin, begin + length) })
    at = begin + length
  }
  return elements
}
