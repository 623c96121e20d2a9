/** The DNS names that exist for the local stack. Any other name does not exist, so no query leaves the machine. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import * as z from 'zod'
import { firstErrorLine, StartError } from '../start-error.ts'

const port = z.int().min(1).max(65_535)
const hexadecimal = z.string().regex(/^([0-9a-f]{2})+$/i, 'not hexadecimal')

/**
 * The records of a name. With `fail`, every query for the name gets that response code. `BOGUS` is the response of a
 * resolver that found a wrong DNSSEC signature: SERVFAIL with an extended error.
 */
const Records = z.strictObject({
  A: z.array(z.ipv4()).optional(),
  AAAA: z.array(z.ipv6()).optional(),
  CNAME: z.string().optional(),
  /** Preference and MX host; `[[0, ""]]` is the null MX (RFC 7505). */
  MX: z.array(z.tuple([z.int().min(0).max(65_535), z.string()])).optional(),
  TXT: z.array(z.string()).optional(),
  /** Usage, selector, matching type (RFC 6698 §2.1) and the association data in hexadecimal. */
  TLSA: z.array(z.tuple([z.int(), z.int(), z.int(), hexadecimal])).optional(),
  fail: z.enum(['SERVFAIL', 'REFUSED', 'BOGUS']).optional(),
  /** Answers have the AD bit, like answers of a validating resolver for a signed zone. */
  secure: z.boolean().optional(),
})
export type Records = z.infer<typeof Records>

export const Zone = z.strictObject({
  names: z.record(z.string(), Records),
  /**
   * Redirects connections. A key is an address, for its port 25, or an endpoint such as `127.0.0.1:443` or `[::1]:443`.
   * The value is a port of the same address, or an IPv4 `address:port`, that really listens.
   */
  ports: z
    .record(
      z.string().refine(isAddressOrEndpoint, 'neither an address nor address:port'),
      z.union([port, z.string().refine(isEndpoint, 'neither a port nor address:port')]),
    )
    .default({}),
})
export type Zone = z.infer<typeof Zone>

export const emptyZone: Zone = { names: {}, ports: {} }

export type Rcode = 'NOERROR' | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED'

/** RFC 8914 §4.7: DNSSEC Bogus. */
export const bogus = 6

/** One record of an answer. After a CNAME, `name` differs from the queried name. */
export type Answer = { name: string } & (
  | { type: 'A' | 'AAAA' | 'CNAME' | 'TXT'; value: string }
  | { type: 'MX'; preference: number; exchange: string }
  | { type: 'TLSA'; usage: number; selector: number; matchingType: number; certificate: string }
)

export interface Lookup {
  readonly rcode: Rcode
  readonly secure: boolean
  /** An extended error (RFC 8914). */
  readonly error?: number
  readonly answers: readonly Answer[]
}

/** @throws StartError naming the file and its faults */
export function readZone(file: string): Zone {
  try {
    return parseZone(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw new StartError(`--zone ${file}: ${firstErrorLine(error)}`)
  }
}

/** @throws Error with one line that lists every fault by its path */
export function parseZone(value: unknown): Zone {
  const parsed = Zone.safeParse(value)
  if (!parsed.success)
    throw new Error(
      parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
    )
  const names = Object.entries(parsed.data.names).map(([name, records]) => [normalise(name), records])
  return { ...parsed.data, names: Object.fromEntries(names) }
}

/** Returns the answer to one query. Follows at most eight CNAMEs inside the zone. */
export function lookup(zone: Zone, name: string, type: string, depth = 0): Lookup {
  const owner = normalise(name)
  const records = zone.names[owner]
  if (records === undefined) return negative(existsBelow(zone, owner) ? 'NOERROR' : 'NXDOMAIN')
  if (records.fail === 'BOGUS') return { ...negative('SERVFAIL'), error: bogus }
  if (records.fail !== undefined) return negative(records.fail)
  const secure = records.secure === true
  if (records.CNAME === undefined || type === 'CNAME')
    return { rcode: 'NOERROR', secure, answers: answersOf(owner, records, type) }
  if (depth === 8) return negative('SERVFAIL')
  const target = lookup(zone, records.CNAME, type, depth + 1)
  const alias: Answer = { name: owner, type: 'CNAME', value: records.CNAME }
  return { ...target, secure: secure && target.secure, answers: [alias, ...target.answers] }
}

function negative(rcode: Rcode): Lookup {
  return { rcode, secure: false, answers: [] }
}

/** RFC 8020: a name with names below it exists, even without records. */
function existsBelow(zone: Zone, name: string): boolean {
  return Object.keys(zone.names).some((candidate) => candidate.endsWith(`.${name}`))
}

function answersOf(name: string, records: Records, type: string): Answer[] {
  switch (type) {
    case 'A':
    case 'AAAA':
    case 'TXT':
      return (records[type] ?? []).map((value) => ({ name, type, value }))
    case 'CNAME':
      return records.CNAME === undefined ? [] : [{ name, type, value: records.CNAME }]
    case 'MX':
      return (records.MX ?? []).map(([preference, exchange]) => ({ name, type, preference, exchange }))
    case 'TLSA':
      return (records.TLSA ?? []).map(([usage, selector, matchingType, certificate]) => ({
        name,
        type,
        usage,
        selector,
        matchingType,
        certificate,
      }))
    default:
      return []
  }
}

function normalise(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}

function isAddressOrEndpoint(value: string): boolean {
  const [, ipv6, ipv4, endpointPort = '25'] = /^(?:\[(.+)\]|([\d.]+)):(\d{1,5})$/.exec(value) ?? []
  if (ipv6 === undefined && ipv4 === undefined) return isIP(value) !== 0
  return (
    isIP(ipv6 ?? ipv4 ?? '') === (ipv6 === undefined ? 4 : 6) && port.safeParse(Number(endpointPort)).success
  )
}

function isEndpoint(value: string): boolean {
  const [address = '', endpointPort = ''] = value.split(':')
  return isIP(address) === 4 && /^\d{1,5}$/.test(endpointPort)
}
