/** The cached result of one source, and its store. */
import { z } from 'zod'
import { RevocationSource } from '../../tls/revocation/status.ts'

/** Milliseconds since the epoch. */
const instant = z.int().nonnegative()

export const KeptSource = z.strictObject({
  source: RevocationSource,
  /** Time of the next request. */
  renewAt: instant,
  /** Until then it counts when no newer result is available. */
  validUntil: instant,
})
export type KeptSource = z.infer<typeof KeptSource>

export interface SourceKey extends Pick<RevocationSource, 'kind' | 'url'> {
  /** SHA-256 of the certificate. */
  fingerprint: string
}

export interface RevocationStore {
  /** @throws when it fails */
  read(key: SourceKey): Promise<KeptSource | null>
  /** @throws when it fails */
  keep(key: SourceKey, kept: KeptSource): Promise<void>
}

/** Stores nothing: the checker's own cache is the only one. */
export const noStore: RevocationStore = { read: async () => null, keep: async () => {} }
