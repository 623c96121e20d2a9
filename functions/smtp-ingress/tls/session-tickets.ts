/**
 * Keys of session tickets (RFC 8446 §4.6.1), equal in all tasks without communication. The attack: with a stolen ticket
 * key an attacker reads the session in a ticket, impersonates this server to the client, and forges sessions with any
 * client certificate. The defence: the key derives from the server's private key, whose holder could impersonate the
 * server anyway. The ticket key changes every hour, and sessions with a client certificate are never resumed. Not
 * covered: a stolen private key reveals which certificates clients presented, but no mail: TLS 1.3 negotiates new keys
 * in each session.
 */
import { createDecipheriv, createHmac, createPrivateKey, hkdfSync, timingSafeEqual } from 'node:crypto'

/**
 * Lifetime of a key, and so the maximum time of resumption after one full handshake. The lifetime of a single ticket
 * sets no such bound, because each resumption brings a new ticket.
 */
export const ticketPeriodMs = 3_600_000

/** Keys in the form in which Node passes them to OpenSSL: name, HMAC key, cipher key; 16 octets each. */
export type TicketKeys = Buffer

export const periodOf = (at: Date): number => Math.floor(at.getTime() / ticketPeriodMs)

/** @param privateKeys PEM, in the same order in all tasks */
export function deriveTicketKeys(privateKeys: readonly string[], period: number): TicketKeys {
  const secret = Buffer.concat(
    privateKeys.map((key) => createPrivateKey(key).export({ type: 'pkcs8', format: 'der' })),
  )
  return Buffer.from(hkdfSync('sha256', secret, '', `mailflow session tickets ${period}`, 48))
}

const keyNameOctets = 16
const ivOctets = 16
const macOctets = 32

/**
 * @param ticket any octets; a valid ticket is key name, IV, encrypted session and MAC
 * @returns the session inside (DER of OpenSSL's SSL_SESSION), or null when the ticket was made with other keys
 */
export function openTicket(ticket: Buffer, keys: TicketKeys): Buffer | null {
  const macStart = ticket.length - macOctets
  if (macStart <= keyNameOctets + ivOctets) return null
  if (!ticket.subarray(0, keyNameOctets).equals(keys.subarray(0, 16))) return null
  const mac = createHmac('sha256', keys.subarray(16, 32)).update(ticket.subarray(0, macStart)).digest()
  if (!timingSafeEqual(mac, ticket.subarray(macStart))) return null
  const iv = ticket.subarray(keyNameOctets, keyNameOctets + ivOctets)
  const decipher = createDecipheriv('aes-128-cbc', keys.subarray(32, 48), iv)
  return Buffer.concat([
    decipher.update(ticket.subarray(keyNameOctets + ivOctets, macStart)),
    decipher.final(),
  ])
}

/** Tag of the peer certificate in SSL_SESSION: context-specific, constructed, number 3. */
const peerCertificateTag = 0xa3
const sequenceTag = 0x30

/**
 * Whether a session contains a client certificate. Also true if the session cannot be parsed.
 * @param session DER
 */
export function holdsCertificate(session: Buffer): boolean {
  const [sequenceElement] = parseElements(session) ?? []
  const fields = sequenceElement?.tag === sequenceTag ? parseElements(sequenceElement.content) : null
  return fields?.some(({ tag }) => tag === peerCertificateTag) ?? true
}

interface DerElement {
  tag: number
  content: Buffer
}

/** @returns null when a length exceeds the octets present or has more than three octets */
function parseElements(der: Buffer): DerElement[] | null {
  const elements: DerElement[] = []
  let at = 0
  while (at < der.length) {
    const tag = der[at] as number
    const lengthOctet = der[at + 1]
    if (lengthOctet === undefined) return null
    const octets = lengthOctet < 0x80 ? 0 : lengthOctet - 0x80
    const begin = at + 2 + octets
    if (octets > 3 || begin > der.length) return null
    const length = octets === 0 ? lengthOctet : der.readUIntBE(at + 2, octets)
    if (begin + length > der.length) return null
    elements.push({ tag, content: der.subarray(begin, begin + length) })
    at = begin + length
  }
  return elements
}
