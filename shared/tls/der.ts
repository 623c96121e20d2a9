/**
 * DER (X.690 §8.1, §10) as far as certificates and revocation lists use it: tags of one octet, definite lengths. The
 * attack: megabytes of elements of two octets each, of which a program makes gigabytes. The defence: few are made.
 */

export interface Element {
  tag: number
  content: Buffer
  /** With its tag and its length. */
  whole: Buffer
}

export const tags = {
  boolean: 0x01,
  integer: 0x02,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const

/**
 * Where the content of the element at a place begins.
 * @throws RangeError when it is not DER, or is cut short
 */
export function contentAt(der: Buffer, at: number): number {
  const short = der.readUInt8(at + 1)
  const octets = short < 0x80 ? 0 : short - 0x80
  if (short === 0x80 || octets > 4) throw new RangeError('not DER')
  return at + 2 + octets
}

/** Where the element at a place ends. @throws as contentAt */
export function endAt(der: Buffer, at: number): number {
  const begin = contentAt(der, at)
  const octets = begin - at - 2
  const end = begin + (octets === 0 ? der.readUInt8(at + 1) : der.readUIntBE(at + 2, octets))
  if (end > der.length) throw new RangeError('cut short')
  return end
}

/** In one place; far more than a certificate has extensions. */
const mostElements = 500

/** What stands one after another. @throws as contentAt, and where there are too many */
export function elements(der: Buffer): Element[] {
  const found: Element[] = []
  for (let at = 0; at < der.length; ) {
    if (found.length === mostElements) throw new RangeError('too many elements')
    const end = endAt(der, at)
    const content = der.subarray(contentAt(der, at), end)
    found.push({ tag: der.readUInt8(at), content, whole: der.subarray(at, end) })
    at = end
  }
  return found
}

/** @throws as contentAt, and where there is not exactly one element */
export function only(der: Buffer): Element {
  const [first, ...others] = elements(der)
  if (!first || others.length > 0) throw new RangeError('not one element')
  return first
}
