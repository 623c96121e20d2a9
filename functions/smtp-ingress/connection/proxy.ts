/**
 * The header of the PROXY protocol, version 2, by which a load balancer says who connects. The attack: a stranger who
 * sends one of their own, and so borrows the address of a partner; a header that never ends; one that was damaged on
 * its way. The defence: it is read only from addresses that were named as the load balancer's, there it must come, and
 * it is read strictly and within bounds; a checksum that comes with it is checked. Its limit: whoever may connect from
 * the load balancer's addresses says what they like, which security groups must prevent.
 */
import ipaddr from 'ipaddr.js'
import { IpRanges } from '../../../shared/policy/ip-ranges.ts'

export type ProxyHeader =
  /** Octets there must be in all before it is worth another look. */
  | { need: number }
  /** `source` is null where the load balancer connects for itself (LOCAL), such as to see whether we live. */
  | { source: { ip: string; port: number } | null; length: number }
  /** What is wrong, for the log. */
  | { fault: string }

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** Signature, version and command, family and transport, length of what follows. */
const fixedLength = 16

/** Octets, the fixed part included. Load balancers add some dozen octets to the addresses. */
const longest = 4096

const commands = new Map([
  [0x20, 'LOCAL'],
  [0x21, 'PROXY'],
])

/** TCP over IPv4 and over IPv6: octets of one address. */
const families = new Map([
  [0x11, 4],
  [0x21, 16],
])

const checksumType = 0x03

/**
 * @param octets what has come so far, from the connection's first octet on. Behind the header's `length` the client's
 *   own begin.
 */
export function readProxyHeader(octets: Buffer): ProxyHeader {
  const begun = octets.subarray(0, signature.length)
  if (!begun.equals(signature.subarray(0, begun.length))) return { fault: 'no header of the PROXY protocol' }
  const command = commands.get(octets[12] ?? 0x20)
  if (!command) return { fault: 'a header of the PROXY protocol of another version or command' }
  if (octets.length < fixedLength) return { need: fixedLength }
  const length = fixedLength + octets.readUInt16BE(14)
  if (length > longest) return { fault: `a header of the PROXY protocol of ${length} octets` }
  if (octets.length < length) return { need: length }
  return command === 'LOCAL' ? { source: null, length } : readSource(octets.subarray(0, length))
}

function readSource(header: Buffer): ProxyHeader {
  const size = families.get(header[13] as number)
  if (!size) return { fault: 'a header of the PROXY protocol for something else than TCP over IP' }
  // Both addresses, then both ports.
  const extensions = fixedLength + 2 * size + 4
  if (header.length < extensions) return { fault: 'a header of the PROXY protocol without its addresses' }
  const fault = faultOfExtensions(header, extensions)
  if (fault) return { fault }
  const ip = addressOf(header.subarray(fixedLength, fixedLength + size))
  const port = header.readUInt16BE(fixedLength + 2 * size)
  return { source: { ip, port }, length: header.length }
}

/** Each has a type, a length in two octets, and as many octets. */
function faultOfExtensions(header: Buffer, from: number): string | null {
  let position = from
  while (position < header.length) {
    const value = position + 3
    const end = value > header.length ? value : value + header.readUInt16BE(position + 1)
    if (end > header.length) return 'a header of the PROXY protocol whose end is cut off'
    if (header[position] === checksumType && !hasChecksum(header, value, end))
      return 'a header of the PROXY protocol whose checksum is wrong'
    position = end
  }
  return null
}

/** It is that of the whole header, with zeros in its own place. */
function hasChecksum(header: Buffer, from: number, end: number): boolean {
  if (end - from !== 4) return false
  const blank = Buffer.from(header).fill(0, from, end)
  return crc32c(blank) === header.readUInt32BE(from)
}

/** Castagnoli's polynomial, bits reversed. */
const remainders = Uint32Array.from({ length: 256 }, (_, octet) => {
  let remainder = octet
  for (let bit = 0; bit < 8; bit++)
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1
  return remainder
})

export function crc32c(octets: Buffer): number {
  let remainder = 0xffffffff
  for (const octet of octets)
    remainder = (remainder >>> 8) ^ (remainders[(remainder ^ octet) & 0xff] as number)
  return (remainder ^ 0xffffffff) >>> 0
}

/** An IPv4 address mapped into IPv6 is that IPv4 address (RFC 4291 §2.5.5.2), as everywhere in the ingress. */
function addressOf(octets: Buffer): string {
  const address = ipaddr.fromByteArray([...octets])
  if (!(address instanceof ipaddr.IPv6)) return address.toString()
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String()
}

/**
 * The addresses from which a header is expected.
 * @param ranges in CIDR notation: `10.0.0.0/16`, `2001:db8::/56`
 * @throws Error that names the range which is none
 */
export function trustedProxies(ranges: readonly string[]): (ip: string) => boolean {
  const wrong = ranges.find((range) => !ipaddr.isValidCIDR(range))
  if (wrong !== undefined) throw new Error(`"${wrong}" is no range of IP addresses in CIDR notation`)
  const trusted = new IpRanges(ranges.map((range) => [range, true] as const))
  return (ip) => trusted.has(ip)
}
