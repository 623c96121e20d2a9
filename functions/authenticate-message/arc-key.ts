/** Reads the key for ARC once. Mail goes on without a seal while the key cannot be read, because mail must not stop. */
import type { ArcSeal } from '../../shared/authentication/authenticate-message.ts'

const retryAfterMs = 60_000

/**
 * @param read null: this deployment does not seal
 * @param now milliseconds
 * @returns a function that returns the key, or null, and never rejects
 */
export function arcKeyReader(
  read: (() => Promise<ArcSeal>) | null,
  onError: (error: Error) => void,
  now: () => number,
): () => Promise<ArcSeal | null> {
  let pending: Promise<ArcSeal | null> | null = null
  let retryAt = Number.NEGATIVE_INFINITY
  const readOnce = async (): Promise<ArcSeal | null> => {
    try {
      return (await read?.()) ?? null
    } catch (error) {
      onError(error as Error)
      retryAt = now() + retryAfterMs
      pending = null
      return null
    }
  }
  return async () => {
    if (pending === null && now() < retryAt) return null
    pending ??= readOnce()
    return pending
  }
}
