/** The interface of the store of revocation results, and the stored result of one source. */
import * as z from 'zod'
import { RevocationSource } from '../../tls/revocation/status.ts'

/** Milliseconds since the epoch. */
const epochMs = z.int().nonnegative()

export const CachedSource = z.strictObject({
  source: RevocationSource,
  /** The time of the next request. */
  renewAt: epochMs,
  /** Until this time, the result is used when no newer result is available. */
  validUntil: epochMs,
})
export type CachedSource = z.infer<typeof CachedSource>

export interface SourceKey extends Pick<RevocationSource, 'kind' | 'url'> {
  /** The certificate's SHA-256. */
  fingerprint: string
}

export interface RevocationStore {
  /** @throws when the store fails */
  read(key: SourceKey): Promise<CachedSource | null>
  /** @throws when the store fails */
  save(key: SourceKey, result: CachedSource): Promise<void>
}

/** Stores nothing: the checker's own cache is the only one. */
export const noStore: RevocationStore = { read: async () => null, save: async () => {} }
