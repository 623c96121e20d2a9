/** What a session with one next hop must satisfy, wherever the demand came from. */
import type { PolicySource, Reply, TlsLevel } from '../contract/message.ts'
import type { RevocationCheck } from '../contract/revocation.ts'
import type { TlsResult } from '../contract/tls-result.ts'

/** RFC 6698 §2.1. */
export interface TlsaRecord {
  usage: number
  selector: number
  matchingType: number
  /** Lower-case hexadecimal. */
  data: string
}

export interface HopRequirement {
  level: TlsLevel
  source: PolicySource
  /**
   * Names of which the certificate must have one, each perhaps with a first label `*`: at DomainValidation, and at
   * Dane for the records that ask for a name.
   */
  names: readonly string[]
  /** At Dane: the usable records. */
  tlsa: readonly TlsaRecord[]
  /** PEM; empty means the public roots. */
  certificateAuthorities: readonly string[]
  minimumTlsVersion: 'TLSv1.2' | 'TLSv1.3'
  /** What must be known of a chain that is to be trusted; `None` at the other levels. */
  revocationCheck: RevocationCheck
}

/** A demand that is only watched. */
export interface Trial {
  requirement: HopRequirement
  /** What is wrong before anybody connects. */
  fault: TlsFault | null
}

/** Why a requirement is not met. */
export interface TlsFault {
  reply: Reply
  result: TlsResult
}

/** TLS whenever it is offered, whatever its certificate; else in the clear. */
export const opportunistic: HopRequirement = {
  level: 'Opportunistic',
  source: 'Opportunistic',
  names: [],
  tlsa: [],
  certificateAuthorities: [],
  minimumTlsVersion: 'TLSv1.2',
  revocationCheck: 'None',
}

/** Whether a message under this requirement may never be sent in the clear. */
export const forcesTls = ({ level }: Pick<HopRequirement, 'level'>): boolean => level !== 'Opportunistic'

/** Whether it asks who the next hop is. */
export const asksForVerification = ({ level }: Pick<HopRequirement, 'level'>): boolean =>
  level !== 'Opportunistic' && level !== 'EncryptionOnly'

/** Whether it asks for a chain to somebody who is trusted. */
export const asksForChain = ({ level }: { level: TlsLevel }): boolean =>
  level === 'CertificateValidation' || level === 'DomainValidation'
