/** What is kept of a domain's policy between attempts, and the store that keeps it. */
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
  /** When the fetch began. */
  fetchedAt: instant,
  /** From then on it is as though it were not there. */
  validUntil: instant,
})
export type KeptPolicy = z.infer<typeof KeptPolicy>

export const FailedFetch = z.strictObject({
  /** Of the policy that was announced. */
  id: z.string(),
  at: instant,
  result: TlsResult,
  detail: z.string(),
})
export type FailedFetch = z.infer<typeof FailedFetch>

export interface KnownOfDomain {
  policy: KeptPolicy | null
  /** Since the policy was fetched. */
  failure: FailedFetch | null
}

export const nothingKnown: KnownOfDomain = { policy: null, failure: null }

export interface PolicyStore {
  /** @param domain in comparable form */
  read(domain: string): Promise<KnownOfDomain>
  /** Unless one that was fetched later is there. */
  keep(domain: string, policy: KeptPolicy): Promise<void>
  /** Unless a policy was fetched later. */
  noteFailure(domain: string, failure: FailedFetch): Promise<void>
}

/** A store that is only read: what its holder finds out is for its own use. */
export function readOnly(store: Pick<PolicyStore, 'read'>): PolicyStore {
  return { read: (domain) => store.read(domain), keep: async () => {}, noteFailure: async () => {} }
}
