/** What is kept of a source's answer, and the store that keeps it. */
import { z } from 'zod'
import { RevocationSource } from '../../tls/revocation/status.ts'

/** Milliseconds since the epoch. */
const instant = z.int().nonnegative()

export const KeptSource = z.strictObject({
  source: RevocationSource,
  /** From then on it is asked again. */
  renewAt: instant,
  /** Until then it counts where nothing newer is to be had. */
  validUntil: instant,
})
export type KeptSource = z.infer<typeof KeptSource>

export interface SourceKey extends Pick<RevocationSource, 'kind' | 'url'> {
  /** SHA-256 of the certificate it is about. */
  fingerprint: string
}

export interface RevocationStore {
  /** @throws when it fails */
  read(key: SourceKey): Promise<KeptSource | null>
  /** @throws when it fails */
  keep(key: SourceKey, kept: KeptSource): Promise<void>
}

/** Keeps nothing; the checker's own memory is all there is. */
export const noStore: RevocationStore = { read: async () => null, keep: async () => {} }
