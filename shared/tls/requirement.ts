/** The TLS requirement for a session with one next hop: from a connector, a published policy or the message. */
import type { PolicySource, Reply, TlsLevel } from '../contract/message.ts'
import type { RevocationCheck } from '../contract/revocation.ts'
import type { TlsResult } from '../contract/tls-result.ts'

/** A TLSA record (RFC 6698 §2.1). */
export interface TlsaRecord {
  usage: number
  selector: number
  matchingType: number
  /** In lower-case hexadecimal. */
  data: string
}

export interface HopRequirement {
  level: TlsLevel
  source: PolicySource
  /**
   * The certificate must have one of these names; the first label may be `*`. Used at DomainValidation, and at Dane for
   * records of usage 2.
   */
  names: readonly string[]
  /** The usable records at level Dane; empty at the other levels. */
  tlsa: readonly TlsaRecord[]
  /** In PEM; empty means the public roots. */
  certificateAuthorities: readonly string[]
  minimumTlsVersion: 'TLSv1.2' | 'TLSv1.3'
  /** The revocation check of a chain that must be trusted; `None` at the other levels. */
  revocationCheck: RevocationCheck
  /** Further requirements that the same session must meet; absent if there are none. */
  additional?: readonly HopRequirement[]
}

/** A requirement that is checked and recorded, not enforced. */
export interface ReportOnlyRequirement {
  requirement: HopRequirement
  /** The fault found before the connection, or null. */
  fault: TlsFault | null
}

export interface TlsFault {
  reply: Reply
  result: TlsResult
}

/** Uses TLS with any certificate if the next hop offers it; otherwise sends in the clear. */
export const opportunistic: HopRequirement = {
  level: 'Opportunistic',
  source: 'Opportunistic',
  names: [],
  tlsa: [],
  certificateAuthorities: [],
  minimumTlsVersion: 'TLSv1.2',
  revocationCheck: 'None',
}

export const forcesTls = ({ level }: Pick<HopRequirement, 'level'>): boolean => level !== 'Opportunistic'

/** Whether the next hop's identity is verified. */
export const requiresVerification = ({ level }: Pick<HopRequirement, 'level'>): boolean =>
  level !== 'Opportunistic' && level !== 'EncryptionOnly'

/** Whether a chain to a trust anchor is required. */
export const requiresChain = ({ level }: { level: TlsLevel }): boolean =>
  level === 'CertificateValidation' || level === 'DomainValidation'
