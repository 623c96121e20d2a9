/** Finds the addresses of a host with this machine's resolver, including the hosts file. */
import { lookup, resolveMx } from 'node:dns/promises'
import { isIP } from 'node:net'
import { errorMessage } from '../../../shared/contract/error-message.ts'
import type { Addresses } from './facts.ts'

/** Limit of addresses that are tried; further addresses are only printed. A delivery tries up to ten. */
export const maxAddresses = 3
const maxMxHosts = 5

/** Never throws. Returns IPv4 addresses first, because deliveries try them first. @param timeout in milliseconds */
export async function hostAddresses(host: string, timeout: number): Promise<Addresses> {
  if (isIP(host)) return { kind: 'Given' }
  try {
    const entries = await withTimeout(timeout, lookup(host, { all: true, order: 'ipv4first' }))
    return { kind: 'Found', ips: [...new Set(entries.map(({ address }) => address))] }
  } catch (error) {
    return { kind: 'Failed', cause: causeText(error), mxHosts: await mxHostsOf(host, timeout) }
  }
}

/** Finds the MX hosts of a domain, best first; none if DNS has no answer. @param timeout in milliseconds */
export async function mxHostsOf(domain: string, timeout: number): Promise<string[]> {
  try {
    const records = await withTimeout(timeout, resolveMx(domain))
    return records
      .sort((a, b) => a.priority - b.priority)
      .map(({ exchange }) => exchange)
      .filter((exchange) => exchange !== '')
      .slice(0, maxMxHosts)
  } catch {
    return []
  }
}

/** Rejects after the timeout. The system's resolver cannot be cancelled. */
function withTimeout<T>(timeout: number, query: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onTimeout = () => reject(Object.assign(new Error('timed out'), { code: 'ETIMEOUT' }))
    const timer = setTimeout(onTimeout, timeout)
    query.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

const causes: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name does not exist in DNS, or has no address',
  EAI_AGAIN: 'the DNS servers did not respond',
  ETIMEOUT: 'the DNS query timed out',
}

function causeText(error: unknown): string {
  const { code = '' } = error as { code?: string }
  return causes[code] ?? (code || errorMessage(error))
}
