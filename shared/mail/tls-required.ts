/** The header field by which a sender asks that TLS be no obstacle (RFC 8689 §3). Pure. */

const field = /^tls-required[ \t]*:[ \t]*no[ \t]*$/i

/**
 * Whether `TLS-Required: No` stands in the header section. A field that stands there twice, or says anything else,
 * asks for nothing.
 * @param content the message's octets
 */
export function waivesTls(content: Buffer): boolean {
  const end = content.indexOf('\r\n\r\n')
  const header = content.subarray(0, end < 0 ? content.length : end + 2).toString('latin1')
  const fields = header.replace(/\r\n(?=[ \t])/g, '').split('\r\n')
  const named = fields.filter((line) => /^tls-required[ \t]*:/i.test(line))
  return named.length === 1 && field.test(named[0] as string)
}
