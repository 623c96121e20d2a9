/** The DNS queries of routing, policies and domain checks, and their results. */
import type { TlsaRecord } from '../../tls/requirement.ts'

export interface MxRecord {
  preference: number
  /** The name of the MX host; `.`, the root, in a null MX (RFC 7505). */
  exchange: string
}

/** RFC 8659 §4.1. */
export interface CaaRecord {
  /** The highest of the eight bits is the critical flag. */
  flags: number
  /** In lower case: `issue`, `issuewild`, `iodef`. */
  tag: string
  /** One character per octet. */
  value: string
}

/** The data of one record, by type. */
export interface RecordData {
  MX: MxRecord
  A: string
  AAAA: string
  CNAME: string
  /** A name of the address that the queried name stands for, in lower case. */
  PTR: string
  TLSA: TlsaRecord
  CAA: CaaRecord
  /** The record's strings joined, with one character per octet. */
  TXT: string
}

export type RecordType = keyof RecordData

/** `secure`: DNSSEC proves the answer and all aliases to it, as the name server's AD bit states (RFC 4035 §3.2.3). */
export type DnsAnswer<T> =
  /**
   * `name`: the owner of the records in lower case, which is the name queried or the end of its alias chain.
   * `ttlSeconds`: the TTL in the zone where the records' signature states it; otherwise what is left of it.
   */
  | { kind: 'Found'; records: T[]; secure: boolean; name: string; ttlSeconds: number }
  | { kind: 'NoData'; secure: boolean }
  | { kind: 'NoSuchName'; secure: boolean }
  /**
   * The result is unknown. `code`: as in c-ares, such as `ESERVFAIL` or `ETIMEOUT`; `bogus`: whether DNSSEC validation
   * failed.
   */
  | { kind: 'Failed'; code: string; bogus: boolean }

export interface Resolver {
  /** Never throws. `ETIMEOUT` when the signal aborts first. */
  query<K extends RecordType>(name: string, type: K, signal?: AbortSignal): Promise<DnsAnswer<RecordData[K]>>
}
