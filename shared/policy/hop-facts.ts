/** What is known about a next hop and the sender's request before the connection. */
import type { Reply } from '../contract/message.ts'
import type { TlsResult } from '../contract/tls-result.ts'
import type { TlsaRecord } from '../tls/requirement.ts'

/** The facts about a next hop before the connection. */
export interface HopFacts {
  /** The recipient's domain. */
  domain: string
  /** Host name, or IP address of a smart host. */
  host: string
  /** `Domain`: the domain itself, which has no MX records (RFC 5321 §5.1). */
  foundBy: 'Mx' | 'Domain' | 'SmartHost'
  /** Whether DNSSEC or the administrator proves that mail for the domain goes to this host. */
  authentic: boolean
  dane: DaneState
}

export type DaneState =
  /** Not queried, not signed, or proven not to exist. */
  | { kind: 'None' }
  /**
   * Records proven by DNSSEC; some may be unusable. `baseDomain`: RFC 7672 §2.2.3. `names`: the base domain and the
   * other reference identifiers for the certificate (§3.2.2).
   */
  | { kind: 'Records'; baseDomain: string; names: readonly string[]; records: readonly TlsaRecord[] }
  /** The lookup failed or the records are bogus: the host counts as unreachable (RFC 7672 §2.1.1). */
  | { kind: 'Failed'; reply: Reply; bogus: boolean }

export interface MtaStsPolicy {
  id: string
  mode: 'enforce' | 'testing' | 'none'
  /** Patterns of host names in lower case; `*.` stands for one label (RFC 8461 §4.1). */
  mx: readonly string[]
  /** In seconds; `max_age` of RFC 8461 §3.2. */
  maxAge: number
}

export type MtaStsState =
  /** No policy applies. `fault`: the domain announces one, but the fetch failed. */
  | { kind: 'None'; fault: { result: TlsResult; detail: string } | null }
  /** `fault`: the check for a newer policy failed. */
  | { kind: 'Policy'; policy: MtaStsPolicy; fault?: { result: TlsResult; detail: string } | null }
  /** The cache cannot be read, so a cached policy may apply. */
  | { kind: 'Unknown'; fault?: null }

export const noMtaSts: MtaStsState = { kind: 'None', fault: null }

export interface SenderRequest {
  /** REQUIRETLS parameter of MAIL FROM. */
  requireTls: boolean
  /** Header field `TLS-Required: No`, ignored with REQUIRETLS (RFC 8689 §4.1). */
  tlsRequiredNo: boolean
  /** The reverse path is empty. REQUIRETLS alone must not cause the loss of a DSN (RFC 8689 §5). */
  isNotification: boolean
}
