/**
 * Looks up IP addresses among many ranges in logarithmic time. Two ranges of one family are nested or disjoint, and the
 * ranges are sorted by first address. So an address can only be in the last range that begins at or before it, or in
 * the ranges around that range.
 */
import { isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'

interface Bounds {
  /** First and last address as text that sorts by value: `4` or `6` for the family, then hexadecimal digits. */
  readonly first: string
  readonly last: string
}

interface Range<T> extends Bounds {
  readonly values: readonly T[]
}

type Entries<T> = Iterable<readonly [range: string, value: T]>

export class IpRanges<T> {
  readonly #ranges: readonly Range<T>[]
  /** For each range the position of the narrowest range around it; -1 for none. */
  readonly #enclosing: Int32Array

  /**
   * @param entries `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`, as the connector schema takes them
   * @param ranges these instead of entries
   */
  constructor(entries: Entries<T>, ranges: readonly Range<T>[] = mergeRanges(entries)) {
    this.#ranges = ranges
    this.#enclosing = linkEnclosing(ranges)
  }

  /** Returns the ranges without some entries, and then with others. These ranges stay as they are. */
  changed(removed: Entries<T>, added: Entries<T>): IpRanges<T> {
    const ranges = [...this.#ranges]
    let changes = 0
    const edit = (text: string, change: (values: readonly T[]) => readonly T[]) => {
      changes++
      const bounds = boundsOf(text)
      const position = positionOf(bounds, ranges)
      const found = ranges[position]
      const isFound = found !== undefined && compareBounds(found, bounds) === 0
      const values = change(isFound ? found.values : [])
      ranges.splice(position, isFound ? 1 : 0, ...(values.length === 0 ? [] : [{ ...bounds, values }]))
    }
    for (const [text, removedValue] of removed)
      edit(text, (values) => values.filter((value) => value !== removedValue))
    const joining = [...added]
    if (ranges.length === 0) return changes + joining.length === 0 ? this : new IpRanges(joining)
    for (const [text, value] of joining) edit(text, (values) => [...values, value])
    return changes === 0 ? this : new IpRanges<T>([], ranges)
  }

  /** The values of every range that holds the address, the narrowest range first. */
  *valuesFor(ip: string): Generator<T> {
    if (this.#ranges.length === 0) return
    const address = addressKey(ip)
    if (address === null) return
    for (let at = this.#lastStartingAtOrBefore(address); at >= 0; at = this.#enclosing[at] ?? -1) {
      const { last, values } = this.#ranges[at] as Range<T>
      if (address <= last) yield* values
    }
  }

  has(ip: string): boolean {
    return !this.valuesFor(ip).next().done
  }

  /** The first value of a range that has an address in common with this range; null if there is none. */
  overlapping(text: string): T | null {
    const { first, last } = boundsOf(text)
    for (let at = this.#lastStartingAtOrBefore(last); at >= 0; at = this.#enclosing[at] ?? -1) {
      const range = this.#ranges[at] as Range<T>
      if (range.last >= first) return range.values[0] ?? null
    }
    return null
  }

  /** Counts the addresses of each family, each address once. */
  addressCounts(): { ipv4: bigint; ipv6: bigint } {
    const counts = { ipv4: 0n, ipv6: 0n }
    for (const [position, { first, last }] of this.#ranges.entries())
      if (this.#enclosing[position] === -1)
        counts[first.startsWith('4') ? 'ipv4' : 'ipv6'] += addressNumber(last) - addressNumber(first) + 1n
    return counts
  }

  #lastStartingAtOrBefore(address: string): number {
    let [low, high] = [0, this.#ranges.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ranges[middle] as Range<T>).first <= address) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

/** Sorts by first address, wide before narrow, and merges equal ranges. */
function mergeRanges<T>(entries: Entries<T>): Range<T>[] {
  const byBounds = new Map<string, Bounds & { values: T[] }>()
  for (const [text, value] of entries) {
    const { first, last } = boundsOf(text)
    const equalRange = byBounds.get(first + last)
    if (equalRange) equalRange.values.push(value)
    else byBounds.set(first + last, { first, last, values: [value] })
  }
  return [...byBounds.values()].sort(compareBounds)
}

const compareBounds = (a: Bounds, b: Bounds): number => compare(a.first, b.first) || compare(b.last, a.last)

/** The position of the range with these bounds, or at which it belongs. */
function positionOf(bounds: Bounds, ranges: readonly Bounds[]): number {
  let [low, high] = [0, ranges.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBounds(ranges[middle] as Bounds, bounds) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function linkEnclosing(ranges: readonly Bounds[]): Int32Array {
  const enclosing = new Int32Array(ranges.length)
  const open: number[] = []
  for (const [position, { first }] of ranges.entries()) {
    while (open.length > 0 && (ranges[open.at(-1) as number] as Bounds).last < first) open.pop()
    enclosing[position] = open.at(-1) ?? -1
    open.push(position)
  }
  return enclosing
}

/**
 * Reads an IPv4 range mapped into IPv6 as the IPv4 range, like the addresses that are looked up.
 * @throws Error for text that is no range, which the connector schema excludes
 */
function boundsOf(text: string): { first: string; last: string } {
  const [addressText = '', bits] = text.split('/')
  const parsed = ipaddr.parse(expandLeadingZeros(addressText))
  const mapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && Number(bits ?? 128) >= 96
  const address = mapped ? parsed.toIPv4Address() : parsed
  const octets = address.toByteArray()
  const prefix = bits === undefined ? octets.length * 8 : Number(bits) - (mapped ? 96 : 0)
  const withHostBits = (fill: number) =>
    octets.map((octet, index) => {
      const mask = (0xff << (8 - Math.min(8, Math.max(0, prefix - index * 8)))) & 0xff
      return (octet & mask) | (fill & ~mask)
    })
  return { first: octetsKey(withHostBits(0)), last: octetsKey(withHostBits(0xff)) }
}

/** Reads an IPv4 address mapped into IPv6 as the IPv4 address. The first branch is a fast path. */
function addressKey(ip: string): string | null {
  if (isIPv4(ip)) return ipv4Key(ip)
  try {
    return octetsKey(ipaddr.process(expandLeadingZeros(ip)).toByteArray())
  } catch {
    return null
  }
}

/** `::192.0.2.1` is a deprecated IPv6 address (RFC 4291 §2.5.5.1). The parser would read it as the IPv4 address. */
const expandLeadingZeros = (ip: string): string => ip.replace(/^::(?=\d+\.)/, '0::')

function ipv4Key(ip: string): string {
  const number = ip.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
  return `4${number.toString(16).padStart(8, '0')}`
}

const addressNumber = (key: string): bigint => BigInt(`0x${key.slice(1)}`)

const octetsKey = (octets: number[]): string =>
  `${octets.length === 4 ? 4 : 6}${Buffer.from(octets).toString('hex')}`

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
