/** DNS as data: a resolver that answers from tables. */
import type { DnsAnswer, RecordData, RecordType, Resolver } from '../../shared/net/resolver.ts'

export interface Zone {
  /** Preference and host; an empty host is the root (null MX, RFC 7505). */
  mx?: Record<string, [number, string][]>
  a?: Record<string, string[]>
  aaaa?: Record<string, string[]>
  cname?: Record<string, string>
  ptr?: Record<string, string[]>
  /** Usage, selector, matching type and hexadecimal data. */
  tlsa?: Record<string, [number, number, number, string][]>
  txt?: Record<string, string[]>
  /** Flags, tag and value. */
  caa?: Record<string, [number, string, string][]>
  /**
   * An error code, such as `ESERVFAIL` or `ETIMEOUT`, for every query about a name. A key such as `TLSA
   * _25._tcp.mx.example` limits the failure to one type. `BOGUS`: the answer fails validation by DNSSEC.
   */
  fail?: Record<string, string>
  /**
   * Names in signed zones: their records and aliases are authentic. A key such as `AAAA mx.example` makes only
   * the records of one type authentic.
   */
  secure?: readonly string[]
}

export interface FakeResolver extends Resolver {
  /** Every query so far, such as `MX partner.example`. */
  readonly queries: string[]
}

/** A name in no table does not exist. A name that is only in other tables has no records of this type. */
export function fakeResolver(zone: Zone): FakeResolver {
  const {
    mx = {},
    a = {},
    aaaa = {},
    cname = {},
    ptr = {},
    tlsa = {},
    txt = {},
    caa = {},
    fail = {},
    secure = [],
  } = zone
  const existingNames = new Set(
    [mx, a, aaaa, cname, ptr, tlsa, txt, caa].flatMap((table) => Object.keys(table)),
  )
  const records: { [K in RecordType]: (name: string) => RecordData[K][] | undefined } = {
    MX: (name) => mx[name]?.map(([preference, exchange]) => ({ preference, exchange })),
    A: (name) => a[name],
    AAAA: (name) => aaaa[name],
    CNAME: (name) => (cname[name] === undefined ? undefined : [cname[name]]),
    PTR: (name) => ptr[name],
    TLSA: (name) =>
      tlsa[name]?.map(([usage, selector, matchingType, data]) => ({ usage, selector, matchingType, data })),
    TXT: (name) => txt[name],
    CAA: (name) => caa[name]?.map(([flags, tag, value]) => ({ flags, tag, value })),
  }
  const queries: string[] = []
  const answer = <K extends RecordType>(name: string, type: K, proven: boolean): DnsAnswer<RecordData[K]> => {
    const code = fail[name] ?? fail[`${type} ${name}`]
    if (code !== undefined)
      return { kind: 'Failed', code: code === 'BOGUS' ? 'ESERVFAIL' : code, bogus: code === 'BOGUS' }
    const isProven = proven && (secure.includes(name) || secure.includes(`${type} ${name}`))
    const target = cname[name]
    if (target !== undefined && type !== 'CNAME') return answer(target, type, isProven)
    const matching = records[type](name) ?? []
    if (matching.length > 0)
      return { kind: 'Found', records: matching, secure: isProven, name, ttlSeconds: 3600 }
    return existingNames.has(name)
      ? { kind: 'NoData', secure: isProven }
      : { kind: 'NoSuchName', secure: isProven }
  }
  return {
    queries,
    query: async (name, type) => {
      queries.push(`${type} ${name}`)
      return answer(name, type, true)
    },
  }
}

/** A resolver whose servers never respond. */
export const silentResolver: Resolver = { query: () => new Promise(() => {}) }
