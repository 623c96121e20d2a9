const crlf = Buffer.from('\r\n')

/**
 * Returns the header section: the whole lines before a message's first empty line (RFC 5322 §2.1), with the last
 * CRLF. A message may have no body.
 */
export function headerSection(octets: Buffer): Buffer {
  if (octets.subarray(0, 2).equals(crlf)) return octets.subarray(0, 0)
  const end = octets.indexOf('\r\n\r\n')
  const lastLineEnd = end < 0 ? octets.lastIndexOf(crlf) : end
  return octets.subarray(0, lastLineEnd < 0 ? 0 : lastLineEnd + 2)
}
