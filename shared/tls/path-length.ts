/**
 * How many authorities may stand between an authority and a server's certificate (RFC 5280 §4.2.1.9), which Node
 * does not tell. Read from the certificate's DER (X.690 §8.1), which OpenSSL has parsed before.
 */

interface Element {
  tag: number
  content: Buffer
}

const objectIdentifier = 0x06
const integer = 0x02
const extensions = 0xa3
const basicConstraints = '551d13'

/**
 * @param certificate DER
 * @returns infinite without a constraint; 0, the narrowest, for one that cannot be read
 */
export function pathLength(certificate: Buffer): number {
  try {
    const constraints = extensionOf(certificate, basicConstraints)
    const limit = constraints && elements(only(constraints).content).find(({ tag }) => tag === integer)
    return limit ? Number(`0x${limit.content.toString('hex')}`) : Number.POSITIVE_INFINITY
  } catch {
    return 0
  }
}

/** @param id hexadecimal DER of its object identifier @returns what the extension holds, null when there is none */
function extensionOf(certificate: Buffer, id: string): Buffer | null {
  const toBeSigned = elements(only(certificate).content)[0]
  const list = elements(toBeSigned?.content ?? Buffer.alloc(0)).find(({ tag }) => tag === extensions)
  for (const extension of list ? elements(only(list.content).content) : []) {
    const parts = elements(extension.content)
    const [type] = parts
    if (type?.tag === objectIdentifier && type.content.toString('hex') === id)
      return parts.at(-1)?.content ?? null
  }
  return null
}

function only(der: Buffer): Element {
  const [first, ...others] = elements(der)
  if (!first || others.length > 0) throw new RangeError('not one element')
  return first
}

/** Tags of one octet and definite lengths, as all that is looked for here has. */
function elements(der: Buffer): Element[] {
  const found: Element[] = []
  for (let at = 0; at < der.length; ) {
    const short = der.readUInt8(at + 1)
    const octets = short < 0x80 ? 0 : short - 0x80
    if (short === 0x80 || octets > 4) throw new RangeError('not DER')
    const length = octets === 0 ? short : der.readUIntBE(at + 2, octets)
    const begin = at + 2 + octets
    if (begin + length > der.length) throw new RangeError('cut short')
    found.push({ tag: der.readUInt8(at), content: der.subarray(begin, begin + length) })
    at = begin + length
  }
  return found
}
