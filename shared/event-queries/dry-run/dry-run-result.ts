/** The result for a recipient of past mail under given connectors. Pure. */
import type { TlsLevel } from '../../contract/message.ts'
import type { TlsResult } from '../../contract/tls-result.ts'

export interface Determined {
  /**
   * `Refused`: in session. `Held`: a connector holds it, or no connector routes it. `Bounced`: it bounces. `Deferred`: an
   * attempt fails, and further attempts follow. `Delivered`: the next hop accepts it. `Sent`: an attempt is made whose end
   * the events do not hold, because the mail was not sent before.
   */
  outcome: 'Refused' | 'Held' | 'Bounced' | 'Deferred' | 'Delivered' | 'Sent'
  /** The reason of the decision; of a refusal for another cause, the reason of its event. */
  reason: string
  /** Id of the connector that decides: the inbound one before the attempt, otherwise the outbound one; null: none. */
  connector: string | null
  /** What this connector requires of the client, or what is enforced at the next hop; null if that is undetermined. */
  level: TlsLevel | null
  /** Of the session with the next hop, if it is not success; absent if it is undetermined. */
  tlsResult?: TlsResult
  /** The certificate's revocation was not checked. If it was revoked, the outcome may be another. */
  unlessRevoked?: true
}

/** `missing`: a sentence about the fact that the events do not hold. */
export interface Undetermined {
  outcome: 'Undetermined'
  missing: string
}

/**
 * A result of an attempt that is not determined. `key`: the same text under two snapshots if the result is the same under
 * both; null if it is not known whether an attempt is made.
 */
export interface Open extends Undetermined {
  key: string | null
}

export type DryRunResult = Determined | Undetermined

export type DryRunComparison =
  | { kind: 'Same'; result: DryRunResult }
  /**
   * At least one of outcome, reason, connector, level and TLS result differs. One of them may be undetermined: the mail is
   * refused or held under one snapshot, and sent under the other.
   */
  | { kind: 'Different'; before: DryRunResult; after: DryRunResult; unlessRevoked?: true }
  | { kind: 'Undetermined'; missing: string; before: DryRunResult; after: DryRunResult }
