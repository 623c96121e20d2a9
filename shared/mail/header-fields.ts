/**
 * Cuts a header section into fields, and reads a field's name as a lenient reader may. The attack: a field that one
 * reader takes for another field than the next reader. The work grows only with the header's size.
 */

/** Cuts the header section into fields, each with its folded lines (RFC 5322 §2.2.3) and its CRLF. */
export function headerFields(header: string): string[] {
  const fields: string[] = []
  let begin = 0
  for (let end = header.indexOf('\r\n'); end >= 0; end = header.indexOf('\r\n', end + 2)) {
    const next = header[end + 2]
    if (next === ' ' || next === '\t') continue
    fields.push(header.slice(begin, end + 2))
    begin = end + 2
  }
  if (begin < header.length) fields.push(header.slice(begin))
  return fields
}

/** Octets that a reader may ignore around a name: controls, space, and octets beyond ASCII. */
const ignorable = /[^\x21-\x7e]+/g

/** No reader knows a longer name; with its folded lines. */
const maxNameOctets = 1000

/** @returns the name in lower case, without the octets that a reader may ignore; null for a line without a name */
export function fieldName(field: string): string | null {
  const colon = field.indexOf(':')
  return colon < 0 || colon > maxNameOctets
    ? null
    : field.slice(0, colon).replace(ignorable, '').toLowerCase()
}
