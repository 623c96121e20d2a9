const crlf = Buffer.from('\r\n')

/**
 * Returns the header section: the complete lines before a message's first empty line (RFC 5322 §2.1), each with its
 * CRLF. A message without an empty line has no body.
 */
export function headerSection(octets: Buffer): Buffer {
  if (octets.subarray(0, 2).equals(crlf)) return octets.subarray(0, 0)
  const end = octets.indexOf('\r\n\r\n')
  const lastLineEnd = end < 0 ? octets.lastIndexOf(crlf) : end
  return octets.subarray(0, lastLineEnd < 0 ? 0 : lastLineEnd + 2)
}
