/** Resolves addresses with the system's resolver, including the hosts file. Other record types give NoData. */
import { lookup } from 'node:dns/promises'
import type { Resolver } from '../../../shared/net/resolver.ts'

export const systemResolver: Resolver = {
  async query(name, type, signal) {
    if (type !== 'A' && type !== 'AAAA') return { kind: 'NoData', secure: false }
    try {
      const query = lookup(name, { all: true, family: type === 'A' ? 4 : 6 })
      const entries = await unlessAborted(query, signal)
      if (entries === null) return failed('ETIMEOUT')
      const records = entries.map(({ address }) => address) as never[]
      // The system's resolver does not show TTLs.
      return { kind: 'Found', records, secure: false, name, ttlSeconds: 0 }
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException
      return code === 'ENOTFOUND' || code === 'ENODATA' ? { kind: 'NoData', secure: false } : failed(code)
    }
  },
}

const failed = (code: string) => ({ kind: 'Failed', code, bogus: false }) as const

/** Resolves to null when aborted. The system's resolver cannot be cancelled. */
function unlessAborted<T>(query: Promise<T>, signal?: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const onAbort = () => resolve(null)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    query.then(resolve, reject).finally(() => signal?.removeEventListener('abort', onAbort))
  })
}
