/**
 * Encodes DNS queries (RFC 1035 §4.1, RFC 6891) and decodes replies. The attack: a forged reply, or a reply whose
 * counts, lengths and pointers lead the parser outside the reply or in circles. The defence: identifier and question
 * are compared first; each record is read within its own length; records of other types are not read; name pointers
 * may only point backwards. Not covered: an attacker who sees the query can answer it, so the path to the resolver must
 * be trustworthy.
 */
import packet from 'dns-packet'
import type { TlsaRecord } from '../../tls/requirement.ts'
import type { CaaRecord, MxRecord, RecordData, RecordType } from './answer.ts'

export interface Question {
  name: string
  type: RecordType
}

export interface QueryOptions {
  id: number
  /** Whether the resolver must answer even when validation fails (RFC 4035 §3.2.2). */
  checkingDisabled: boolean
  /** False for servers that do not support EDNS. */
  useEdns: boolean
  /** Whether padding hides the name's length, which encryption alone does not hide. */
  isPadded: boolean
}

/** A datagram of this size is not fragmented. */
const maxPayloadOctets = 1232

/** The length of a padded query is a multiple of this (RFC 8467 §4.1). */
const paddingBlockOctets = 128
const paddingOption = 12

/**
 * The AD bit requests the result of validation (RFC 6840 §5.7). The DO bit requests DNSSEC records (RFC 4035 §4.9.1).
 * The question's name must be valid.
 */
export function encodeQuery(
  { name, type }: Question,
  { id, checkingDisabled, useEdns, isPadded }: QueryOptions,
): Buffer {
  const encode = (options: { code: number; data: Buffer }[]) =>
    packet.encode({
      type: 'query',
      id,
      flags:
        packet.RECURSION_DESIRED | packet.AUTHENTIC_DATA | (checkingDisabled ? packet.CHECKING_DISABLED : 0),
      questions: [{ name, type }],
      additionals: useEdns
        ? [{ type: 'OPT', name: '.', udpPayloadSize: maxPayloadOctets, flags: packet.DNSSEC_OK, options }]
        : [],
    })
  if (!isPadded) return encode([])
  const { length } = encode([{ code: paddingOption, data: Buffer.alloc(0) }])
  return encode([{ code: paddingOption, data: Buffer.alloc(-length & (paddingBlockOctets - 1)) }])
}

/** Whether labels have 1–63 octets and the name at most 253 characters (RFC 1035 §2.3.4), in printable ASCII. */
export function isValidName(name: string): boolean {
  return name.length <= 253 && name.split('.').every((label) => /^[!-~]{1,63}$/.test(label))
}

/** One record of the answer section. `ttlSeconds`: what is left of the TTL when the server has cached the record. */
export type AnswerRecord = { owner: string; ttlSeconds: number } & (
  | { type: 'CNAME'; data: string }
  | { type: Exclude<RecordType, 'CNAME'>; data: RecordData[RecordType] }
)

export interface DnsReply {
  /** Includes the upper bits from EDNS. */
  rcode: number
  truncated: boolean
  authentic: boolean
  /** The server is recursive or authoritative: records that it does not find do not exist. */
  conclusive: boolean
  /** Records of the queried type, and CNAMEs. Owner names are in lower case. */
  records: AnswerRecord[]
  /** The TTL that the zone gives to the records of the queried type, from their signature (RFC 4034 §3.1.4), or 0. */
  originalTtlSeconds: number
  /** RFC 2308 §2.2: the zone's SOA shows that no records exist. */
  negative: boolean
  /** Extended errors (RFC 8914). */
  errors: number[]
}

const typeNumbers: Record<RecordType, number> = {
  A: 1,
  CNAME: 5,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  TLSA: 52,
  CAA: 257,
}
const typesByNumber = new Map(
  Object.entries(typeNumbers).map(([type, number]) => [number, type as RecordType]),
)
const soaType = 6
const rrsigType = 46
const optType = 41
const internetClass = 1
const extendedErrorOption = 15

/** @returns `OtherQuery`: not a reply to this query; `Malformed`: a reply to this query that cannot be read */
export function decodeReply(
  octets: Buffer,
  id: number,
  question: Question,
): DnsReply | 'OtherQuery' | 'Malformed' {
  // A header has 12 octets: identifier, flags and four counts of two octets each.
  if (octets.length < 12 || octets.readUInt16BE(0) !== id) return 'OtherQuery'
  const flags = octets.readUInt16BE(2)
  // The upper five bits: QR must be 1 (a reply), and the opcode 0 (QUERY).
  if ((flags & 0xf800) !== 0x8000) return 'OtherQuery'
  try {
    return decodeSections(octets, flags, question)
  } catch {
    return 'Malformed'
  }
}

function decodeSections(octets: Buffer, flags: number, question: Question): DnsReply | 'OtherQuery' {
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) =>
    octets.readUInt16BE(at),
  ) as [number, number, number, number]
  const reply: DnsReply = {
    rcode: flags & 0xf,
    truncated: (flags & packet.TRUNCATED_RESPONSE) !== 0,
    authentic: (flags & packet.AUTHENTIC_DATA) !== 0,
    conclusive: (flags & (packet.RECURSION_AVAILABLE | packet.AUTHORITATIVE_ANSWER)) !== 0,
    records: [],
    originalTtlSeconds: 0,
    negative: false,
    errors: [],
  }
  // A server that cannot read the question may omit it.
  if (questions === 0 && reply.rcode !== 0) return reply
  if (questions !== 1) return 'OtherQuery'
  let at = matchQuestion(octets, question)
  if (at === null) return 'OtherQuery'
  if (reply.truncated) return reply
  for (let index = 0; index < answers + authorities + additionals; index += 1) {
    const record = locateRecord(octets, at)
    at = record.end
    if (index < answers) {
      reply.records.push(...selectRecord(octets, record, question.type))
      if (isSignatureOf(octets, record, question.type))
        reply.originalTtlSeconds = octets.readUInt32BE(record.length + 6)
    } else if (index < answers + authorities) reply.negative ||= record.type === soaType
    else if (record.type === optType) decodeOptions(octets, record, reply)
  }
  return reply
}

/** @returns the offset of the question's end, or null for another question */
function matchQuestion(octets: Buffer, { name, type }: Question): number | null {
  const questionName = packet.name.decode(octets, 12)
  const at = 12 + packet.name.decode.bytes
  const isSame =
    toLowerAscii(questionName) === toLowerAscii(name) &&
    octets.readUInt16BE(at) === typeNumbers[type] &&
    octets.readUInt16BE(at + 2) === internetClass
  return isSame ? at + 4 : null
}

interface RecordLocation {
  owner: string
  type: number
  class: number
  ttl: number
  /** Offset of the data's length; the data follows. */
  length: number
  end: number
}

function locateRecord(octets: Buffer, begin: number): RecordLocation {
  const owner = toLowerAscii(packet.name.decode(octets, begin))
  const at = begin + packet.name.decode.bytes
  const length = at + 8
  const end = length + 2 + octets.readUInt16BE(length)
  if (end > octets.length) throw new RangeError('truncated')
  return {
    owner,
    type: octets.readUInt16BE(at),
    class: octets.readUInt16BE(at + 2),
    ttl: octets.readUInt32BE(at + 4),
    length,
    end,
  }
}

/** @returns the record if its type was queried or it is an alias, else nothing */
function selectRecord(octets: Buffer, location: RecordLocation, queriedType: RecordType): AnswerRecord[] {
  const type = typesByNumber.get(location.type)
  if (location.class !== internetClass || type === undefined || (type !== queriedType && type !== 'CNAME'))
    return []
  const { owner, ttl: ttlSeconds } = location
  return [{ owner, ttlSeconds, type, data: decodeData(octets, location, type) } as AnswerRecord]
}

/** RFC 4034 §3.1: type covered (2 octets), algorithm (1), labels (1), original TTL (4). */
const isSignatureOf = (
  octets: Buffer,
  { type, length, end }: RecordLocation,
  coveredType: RecordType,
): boolean =>
  type === rrsigType && end >= length + 10 && octets.readUInt16BE(length + 2) === typeNumbers[coveredType]

function decodeData(
  octets: Buffer,
  { length, end }: RecordLocation,
  type: RecordType,
): RecordData[RecordType] {
  // Pointers point backwards, so the octets after the record are not necessary.
  const upToEnd = octets.subarray(0, end)
  const data = upToEnd.subarray(length + 2)
  switch (type) {
    case 'A':
    case 'AAAA':
      return decodeAddress(upToEnd, length, type)
    case 'CNAME':
    case 'PTR':
      return toLowerAscii(packet.name.decode(upToEnd, length + 2))
    case 'MX': {
      const { preference, exchange } = packet.record('MX').decode(upToEnd, length) as MxRecord
      return { preference, exchange: toLowerAscii(exchange) }
    }
    case 'TLSA':
      return decodeTlsa(data)
    case 'CAA':
      return decodeCaa(data)
    case 'TXT':
      return decodeText(data)
  }
}

function decodeAddress(octets: Buffer, length: number, type: 'A' | 'AAAA'): string {
  if (octets.length - length - 2 !== (type === 'A' ? 4 : 16)) throw new RangeError('not an address')
  return packet.record(type).decode(octets, length) as string
}

/** Reads the fields of a TLSA record (RFC 6698 §2.1). */
function decodeTlsa(data: Buffer): TlsaRecord {
  return {
    usage: data.readUInt8(0),
    selector: data.readUInt8(1),
    matchingType: data.readUInt8(2),
    data: data.subarray(3).toString('hex'),
  }
}

/** Reads the fields of a CAA record (RFC 8659 §4.1). The tag has at least one octet. */
function decodeCaa(data: Buffer): CaaRecord {
  const valueStart = 2 + data.readUInt8(1)
  if (valueStart === 2 || valueStart > data.length) throw new RangeError('not a property')
  return {
    flags: data.readUInt8(0),
    tag: toLowerAscii(data.toString('latin1', 2, valueStart)),
    value: data.toString('latin1', valueStart),
  }
}

/** RFC 1035 §3.3.14: strings, each after its length. */
function decodeText(data: Buffer): string {
  const strings: string[] = []
  for (let at = 0; at < data.length; ) {
    const end = at + 1 + data.readUInt8(at)
    if (end > data.length) throw new RangeError('truncated')
    strings.push(data.toString('latin1', at + 1, end))
    at = end
  }
  return strings.join('')
}

/** RFC 6891 §6.1.3: the TTL field holds the upper bits of the response code. RFC 8914 §2: extended errors. */
function decodeOptions(octets: Buffer, { ttl, length, end }: RecordLocation, reply: DnsReply): void {
  reply.rcode |= (ttl >>> 24) << 4
  for (let at = length + 2; at < end; ) {
    const next = at + 4 + octets.readUInt16BE(at + 2)
    if (next > end) throw new RangeError('truncated')
    if (octets.readUInt16BE(at) === extendedErrorOption && next >= at + 6)
      reply.errors.push(octets.readUInt16BE(at + 4))
    at = next
  }
}

/** DNS ignores the case of ASCII letters only (RFC 1035 §2.3.3). */
const toLowerAscii = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
