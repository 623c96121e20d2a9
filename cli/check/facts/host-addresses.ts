/** The addresses of a host, as this machine finds them: its hosts file counts, too. */
import { lookup, resolveMx } from 'node:dns/promises'
import { isIP } from 'node:net'
import { errorMessage } from '../../../shared/contract/error-message.ts'
import type { Addresses } from './facts.ts'

/** What is tried of a host, as a delivery does; of others it is only told. */
export const mostAddresses = 3
const mostMxHosts = 5

/** Never throws. IPv4 first, as deliveries have it. @param timeout milliseconds */
export async function hostAddresses(host: string, timeout: number): Promise<Addresses> {
  if (isIP(host)) return { kind: 'Given' }
  try {
    const found = await within(timeout, lookup(host, { all: true, order: 'ipv4first' }))
    return { kind: 'Found', ips: [...new Set(found.map(({ address }) => address))] }
  } catch (error) {
    return { kind: 'Failed', cause: wordsFor(error), exchanges: await mxHostsOf(host, timeout) }
  }
}

/** Whoever names a domain means its mail servers. */
async function mxHostsOf(domain: string, timeout: number): Promise<string[]> {
  try {
    const found = await within(timeout, resolveMx(domain))
    return found
      .sort((one, other) => one.priority - other.priority)
      .map(({ exchange }) => exchange)
      .filter((exchange) => exchange !== '')
      .slice(0, mostMxHosts)
  } catch {
    return []
  }
}

/** The system's resolver cannot be stopped; it is waited for no longer. */
function within<T>(timeout: number, asked: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(Object.assign(new Error('late'), { code: 'ETIMEOUT' }))
    const timer = setTimeout(late, timeout)
    asked.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

const causes: Readonly<Record<string, string>> = {
  ENOTFOUND: 'DNS has no such name, or no address for it',
  EAI_AGAIN: 'the name servers did not answer',
  ETIMEOUT: 'the name servers did not answer in time',
}

function wordsFor(error: unknown): string {
  const { code = '' } = error as { code?: string }
  return causes[code] ?? (code || errorMessage(error))
}
