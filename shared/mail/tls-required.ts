/**
 * The header field by which a sender asks that TLS be no obstacle (RFC 8689 §3). The attack: a header without end, whose
 * millions of lines take the memory and the time of every other delivery. The defence: one that is longer than any that
 * is meant to be read asks for nothing. Pure.
 */

/** Octets. */
const longestHeader = 262_144

const field = /^tls-required[ \t]*:[ \t]*no[ \t]*$/i

/**
 * Whether `TLS-Required: No` stands in the header section. A field that stands there twice, or says anything else,
 * asks for nothing.
 * @param content the message's octets
 */
export function waivesTls(content: Buffer): boolean {
  const head = content.subarray(0, longestHeader)
  const end = head.indexOf('\r\n\r\n')
  if (end < 0 && head.length < content.length) return false
  const header = head.subarray(0, end < 0 ? head.length : end + 2).toString('latin1')
  const fields = header.replace(/\r\n(?=[ \t])/g, '').split('\r\n')
  const named = fields.filter((line) => /^tls-required[ \t]*:/i.test(line))
  return named.length === 1 && field.test(named[0] as string)
}
