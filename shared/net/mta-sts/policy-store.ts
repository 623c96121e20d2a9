/** The stored state of a domain's policy, and its store. */
import { z } from 'zod'
import { TlsResult } from '../../contract/tls-result.ts'

/** Milliseconds since the epoch. */
const epochMs = z.int().nonnegative()

export const StoredPolicy = z.strictObject({
  id: z.string(),
  mode: z.enum(['enforce', 'testing', 'none']),
  mx: z.array(z.string()).readonly(),
  /** Seconds. */
  maxAge: z.int().nonnegative(),
  /** Start of the fetch. */
  fetchedAt: epochMs,
  /** From then on the policy no longer applies. */
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
  /** Only one later than the policy's fetch. */
  failure: FailedFetch | null
}

export const emptyDomainState: DomainState = { policy: null, failure: null }

export interface PolicyStore {
  /** @param domain in comparable form */
  read(domain: string): Promise<DomainState>
  /** Does not replace a policy fetched later. */
  savePolicy(domain: string, policy: StoredPolicy): Promise<void>
  /** Does nothing when a policy was fetched later. */
  saveFailure(domain: string, failure: FailedFetch): Promise<void>
}

/** Discards writes: the caller's results are for its own use. */
export function readOnlyStore(store: Pick<PolicyStore, 'read'>): PolicyStore {
  return { read: (domain) => store.read(domain), savePolicy: async () => {}, saveFailure: async () => {} }
}
