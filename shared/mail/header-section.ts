const crlf = Buffer.from('\r\n')

/**
 * What stands before a message's first empty line (RFC 5322 §2.1), its last CRLF included: whole lines only. A message
 * may have no body at all.
 */
export function headerSection(octets: Buffer): Buffer {
  if (octets.subarray(0, 2).equals(crlf)) return octets.subarray(0, 0)
  const end = octets.indexOf('\r\n\r\n')
  const last = end < 0 ? octets.lastIndexOf(crlf) : end
  return octets.subarray(0, last < 0 ? 0 : last + 2)
}
