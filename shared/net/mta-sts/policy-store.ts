/** The interface of the store of MTA-STS policies, and the stored state of one domain. */
import * as z from 'zod'
import { TlsResult } from '../../contract/tls-result.ts'

/** Milliseconds since the epoch. */
const epochMs = z.int().nonnegative()

export const StoredPolicy = z.strictObject({
  id: z.string(),
  mode: z.enum(['enforce', 'testing', 'none']),
  mx: z.array(z.string()).readonly(),
  /** In seconds. */
  maxAge: z.int().nonnegative(),
  /** The time when the fetch began. */
  fetchedAt: epochMs,
  /** The time when the policy expires. */
  validUntil: epochMs,
})
export type StoredPolicy = z.infer<typeof StoredPolicy>

export const FailedFetch = z.strictObject({
  /** The id announced in DNS. */
  id: z.string(),
  at: epochMs,
  result: TlsResult,
  detail: z.string(),
})
export type FailedFetch = z.infer<typeof FailedFetch>

export interface DomainState {
  policy: StoredPolicy | null
  /** The latest failed fetch; null when the policy was fetched later. */
  failure: FailedFetch | null
}

export const emptyDomainState: DomainState = { policy: null, failure: null }

export interface PolicyStore {
  /** @param domain in comparable form */
  read(domain: string): Promise<DomainState>
  /** Does not replace a policy that was fetched later. */
  savePolicy(domain: string, policy: StoredPolicy): Promise<void>
  /** Does nothing when a policy was fetched later. */
  saveFailure(domain: string, failure: FailedFetch): Promise<void>
}

/** Discards writes, so that other workers do not use the caller's results. */
export function readOnlyStore(store: Pick<PolicyStore, 'read'>): PolicyStore {
  return { read: (domain) => store.read(domain), savePolicy: async () => {}, saveFailure: async () => {} }
}
