/** The stored state of a domain's policy, and its store. */
import { z } from 'zod'
import { TlsResult } from '../../contract/tls-result.ts'

/** Milliseconds since the epoch. */
const instant = z.int().nonnegative()

export const KeptPolicy = z.strictObject({
  id: z.string(),
  mode: z.enum(['enforce', 'testing', 'none']),
  mx: z.array(z.string()).readonly(),
  /** Seconds. */
  maxAge: z.int().nonnegative(),
  /** Start of the fetch. */
  fetchedAt: instant,
  /** From then on the policy no longer applies. */
  validUntil: instant,
})
export type KeptPolicy = z.infer<typeof KeptPolicy>

export const FailedFetch = z.strictObject({
  /** The id announced in DNS. */
  id: z.string(),
  at: instant,
  result: TlsResult,
  detail: z.string(),
})
export type FailedFetch = z.infer<typeof FailedFetch>

export interface KnownOfDomain {
  policy: KeptPolicy | null
  /** Only one later than the policy's fetch. */
  failure: FailedFetch | null
}

export const nothingKnown: KnownOfDomain = { policy: null, failure: null }

export interface PolicyStore {
  /** @param domain in comparable form */
  read(domain: string): Promise<KnownOfDomain>
  /** Does not replace a policy fetched later. */
  keep(domain: string, policy: KeptPolicy): Promise<void>
  /** Does nothing when a policy was fetched later. */
  noteFailure(domain: string, failure: FailedFetch): Promise<void>
}

/** Discards writes: the caller's results are for its own use. */
export function readOnly(store: Pick<PolicyStore, 'read'>): PolicyStore {
  return { read: (domain) => store.read(domain), keep: async () => {}, noteFailure: async () => {} }
}
