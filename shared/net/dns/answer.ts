/** The questions that routing and policies ask of DNS, and what comes of them. */
import type { TlsaRecord } from '../../tls/requirement.ts'

export interface Exchange {
  preference: number
  /** `.` is the root. */
  exchange: string
}

/** What one record of each type holds. */
export interface RecordOf {
  MX: Exchange
  A: string
  AAAA: string
  CNAME: string
  TLSA: TlsaRecord
  /** Its strings joined, an octet a character. */
  TXT: string
}

export type RecordType = keyof RecordOf

/** `secure`: the resolver vouches for it by DNSSEC, every alias on the way included (the AD bit, RFC 4035 §3.2.3). */
export type DnsAnswer<T> =
  /** `name`: whose records they are, in lower case: the name asked for, or what it is an alias of in the end. */
  | { kind: 'Found'; records: T[]; secure: boolean; name: string }
  | { kind: 'NoData'; secure: boolean }
  | { kind: 'NoSuchName'; secure: boolean }
  /**
   * There is no telling. `code` as c-ares has it, such as `ESERVFAIL` or `ETIMEOUT`; `bogus`: there are records, but
   * DNSSEC says that they are not to be believed.
   */
  | { kind: 'Failed'; code: string; bogus: boolean }

export interface Resolver {
  /** Never throws. `ETIMEOUT` when the signal comes first. */
  ask<K extends RecordType>(name: string, type: K, signal?: AbortSignal): Promise<DnsAnswer<RecordOf[K]>>
}
