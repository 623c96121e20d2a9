/**
 * Finds the header field by which the sender waives the TLS policies of the recipient's domain (RFC 8689 §3). The
 * attack: a header of millions of lines takes the memory and time of other deliveries. The defence: a header above a
 * limit is not searched.
 */

const maxHeaderOctets = 262_144

const tlsRequiredNo = /^tls-required[ \t]*:[ \t]*no[ \t]*$/i

/** Whether the header section has `TLS-Required: No` once. A repeated field or another value is ignored. */
export function waivesTls(content: Buffer): boolean {
  const start = content.subarray(0, maxHeaderOctets)
  const end = start.indexOf('\r\n\r\n')
  if (end < 0 && start.length < content.length) return false
  const header = start.subarray(0, end < 0 ? start.length : end + 2).toString('latin1')
  const fields = header.replace(/\r\n(?=[ \t])/g, '').split('\r\n')
  const tlsRequiredFields = fields.filter((line) => /^tls-required[ \t]*:/i.test(line))
  return tlsRequiredFields.length === 1 && tlsRequiredNo.test(tlsRequiredFields[0] as string)
}
