/**
 * Reads the header of the PROXY protocol, version 2, in which a load balancer states the client's address. The attack:
 * an unknown client sends a forged header to impersonate a partner's address, or an endless or corrupted header. The
 * defence: connections from the load balancer's configured addresses must send a header; other connections' headers are
 * not read. The header is parsed strictly and within bounds, and its checksum is verified if present. Not covered: a
 * program that can connect from those addresses can forge a client's address; security groups must prevent that.
 */
import ipaddr from 'ipaddr.js'
import { IpRanges } from '../../../shared/connectors/ip-ranges.ts'

export type ProxyHeader =
  /** Total octets needed before the header can be parsed. */
  | { need: number }
  /** `source` is null for LOCAL: the load balancer's own connection, such as a health check. */
  | { source: { ip: string; port: number } | null; length: number }
  /** The fault, for the log. */
  | { fault: string }

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/**
 * Octets of the fixed part: signature (12), version and command (1), family and transport (1), length of the rest (2).
 */
const fixedOctets = 16

/** The maximum includes the fixed part. Load balancers add a few dozen octets to the addresses. */
const maxHeaderOctets = 4096

/** Commands by the octet at offset 12: its upper half is the version, 2; its lower half is the command. */
const commandNames = new Map([
  [0x20, 'LOCAL'],
  [0x21, 'PROXY'],
])

/** Octets of one address, by the octet at offset 13: TCP over IPv4, TCP over IPv6. */
const addressOctetsByFamily = new Map([
  [0x11, 4],
  [0x21, 16],
])

const checksumType = 0x03

/**
 * @param octets all octets received since the connection began. In the result, `length` is the position where the
 *   client's own octets begin
 */
export function readProxyHeader(octets: Buffer): ProxyHeader {
  const received = octets.subarray(0, signature.length)
  if (!received.equals(signature.subarray(0, received.length))) return { fault: 'no PROXY protocol header' }
  const command = commandNames.get(octets[12] ?? 0x20)
  if (!command) return { fault: 'PROXY protocol header has an unsupported version or command' }
  if (octets.length < fixedOctets) return { need: fixedOctets }
  const length = fixedOctets + octets.readUInt16BE(14)
  if (length > maxHeaderOctets) return { fault: `PROXY protocol header is too long: ${length} octets` }
  if (octets.length < length) return { need: length }
  return command === 'LOCAL' ? { source: null, length } : readSource(octets.subarray(0, length))
}

function readSource(header: Buffer): ProxyHeader {
  const size = addressOctetsByFamily.get(header[13] as number)
  if (!size) return { fault: 'PROXY protocol header is not for TCP over IP' }
  // Both addresses, then both ports.
  const extensions = fixedOctets + 2 * size + 4
  if (header.length < extensions) return { fault: 'PROXY protocol header has no addresses' }
  const fault = findExtensionFault(header, extensions)
  if (fault) return { fault }
  const ip = readAddress(header.subarray(fixedOctets, fixedOctets + size))
  const port = header.readUInt16BE(fixedOctets + 2 * size)
  return { source: { ip, port }, length: header.length }
}

/** Each extension has one octet of type, two of length, then the value. */
function findExtensionFault(header: Buffer, from: number): string | null {
  let position = from
  while (position < header.length) {
    const value = position + 3
    const end = value > header.length ? value : value + header.readUInt16BE(position + 1)
    if (end > header.length) return 'PROXY protocol header is truncated'
    if (header[position] === checksumType && !isChecksumValid(header, value, end))
      return 'PROXY protocol header has a wrong checksum'
    position = end
  }
  return null
}

/** The checksum covers the whole header, with zeros in place of the checksum. */
function isChecksumValid(header: Buffer, from: number, end: number): boolean {
  if (end - from !== 4) return false
  const zeroed = Buffer.from(header).fill(0, from, end)
  return crc32c(zeroed) === header.readUInt32BE(from)
}

/** CRC-32C: Castagnoli's polynomial, bits reversed. */
const crcTable = Uint32Array.from({ length: 256 }, (_, octet) => {
  let remainder = octet
  for (let bit = 0; bit < 8; bit++)
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1
  return remainder
})

export function crc32c(octets: Buffer): number {
  let remainder = 0xffffffff
  for (const octet of octets) remainder = (remainder >>> 8) ^ (crcTable[(remainder ^ octet) & 0xff] as number)
  return (remainder ^ 0xffffffff) >>> 0
}

/** Converts an IPv4-mapped IPv6 address to IPv4 (RFC 4291 §2.5.5.2), as the whole ingress does. */
function readAddress(octets: Buffer): string {
  const address = ipaddr.fromByteArray([...octets])
  if (!(address instanceof ipaddr.IPv6)) return address.toString()
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String()
}

/**
 * Matches the addresses that must send a header.
 * @param ranges in CIDR notation: `10.0.0.0/16`, `2001:db8::/56`
 * @throws Error naming the invalid range
 */
export function trustedProxyMatcher(ranges: readonly string[]): (ip: string) => boolean {
  const invalid = ranges.find((range) => !ipaddr.isValidCIDR(range))
  if (invalid !== undefined) throw new Error(`"${invalid}" is not an IP range in CIDR notation`)
  const trustedRanges = new IpRanges(ranges.map((range) => [range, true] as const))
  return (ip) => trustedRanges.has(ip)
}
