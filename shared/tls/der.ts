/**
 * Reads DER (X.690 §8.1, §10) as certificates and CRLs use it: tags of one octet, definite lengths. The attack:
 * megabytes of two-octet elements, for which a parser allocates gigabytes. The defence: readElements creates a limited
 * number of objects; longer lists are read by their offsets, without objects.
 */

export interface Element {
  tag: number
  content: Buffer
  /** The element with its tag and length. */
  encoded: Buffer
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
 * The offset of the content of the element at `at`.
 * @throws RangeError for invalid or truncated DER
 */
export function contentOffset(der: Buffer, at: number): number {
  const lengthOctet = der.readUInt8(at + 1)
  const octets = lengthOctet < 0x80 ? 0 : lengthOctet - 0x80
  if (lengthOctet === 0x80 || octets > 4) throw new RangeError('not DER')
  return at + 2 + octets
}

/**
 * The offset after the element at `at`.
 * @throws RangeError for invalid or truncated DER
 */
export function endOffset(der: Buffer, at: number): number {
  const begin = contentOffset(der, at)
  const octets = begin - at - 2
  const end = begin + (octets === 0 ? der.readUInt8(at + 1) : der.readUIntBE(at + 2, octets))
  if (end > der.length) throw new RangeError('cut short')
  return end
}

/** Limit for the elements of one sequence, far above the number of extensions in a certificate. */
const maxElements = 500

/**
 * Reads consecutive elements.
 * @throws RangeError for invalid or truncated DER, or too many elements
 */
export function readElements(der: Buffer): Element[] {
  const elements: Element[] = []
  for (let at = 0; at < der.length; ) {
    if (elements.length === maxElements) throw new RangeError('too many elements')
    const end = endOffset(der, at)
    const content = der.subarray(contentOffset(der, at), end)
    elements.push({ tag: der.readUInt8(at), content, encoded: der.subarray(at, end) })
    at = end
  }
  return elements
}

/** @throws RangeError for invalid or truncated DER, or unless there is exactly one element */
export function readOnlyElement(der: Buffer): Element {
  const [first, ...others] = readElements(der)
  if (!first || others.length > 0) throw new RangeError('not one element')
  return first
}
