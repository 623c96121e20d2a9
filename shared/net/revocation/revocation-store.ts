/** The cached result of one source, and its store. */
import { z } from 'zod'
import { RevocationSource } from '../../tls/revocation/status.ts'

/** Milliseconds since the epoch. */
const epochMs = z.int().nonnegative()

export const CachedSource = z.strictObject({
  source: RevocationSource,
  /** Time of the next request. */
  renewAt: epochMs,
  /** Until then it counts when no newer result is available. */
  validUntil: epochMs,
})
export type CachedSource = z.infer<typeof CachedSource>

export interface SourceKey extends Pick<RevocationSource, 'kind' | 'url'> {
  /** SHA-256 of the certificate. */
  fingerprint: string
}

export interface RevocationStore {
  /** @throws when it fails */
  read(key: SourceKey): Promise<CachedSource | null>
  /** @throws when it fails */
  save(key: SourceKey, kept: CachedSource): Promise<void>
}

/** Stores nothing: the checker's own cache is the only one. */
export const noStore: RevocationStore = { read: async () => null, save: async () => {} }
