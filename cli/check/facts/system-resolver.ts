/** Resolves addresses by the system's resolver, including the hosts file. Other record types get NoData. */
import { lookup } from 'node:dns/promises'
import type { Resolver } from '../../../shared/net/resolver.ts'

export const systemResolver: Resolver = {
  async query(name, type, signal) {
    if (type !== 'A' && type !== 'AAAA') return { kind: 'NoData', secure: false }
    try {
      const asked = lookup(name, { all: true, family: type === 'A' ? 4 : 6 })
      const found = await unlessAborted(asked, signal)
      if (found === null) return failed('ETIMEOUT')
      const records = found.map(({ address }) => address) as never[]
      return { kind: 'Found', records, secure: false, name }
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException
      return code === 'ENOTFOUND' || code === 'ENODATA' ? { kind: 'NoData', secure: false } : failed(code)
    }
  },
}

const failed = (code: string) => ({ kind: 'Failed', code, bogus: false }) as const

/** Resolves to null when aborted. The system's resolver cannot be cancelled. */
function unlessAborted<T>(asked: Promise<T>, signal?: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const onAbort = () => resolve(null)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    asked.then(resolve, reject).finally(() => signal?.removeEventListener('abort', onAbort))
  })
}
