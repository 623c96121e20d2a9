/** The DNS queries of the package mailauth, answered by our resolver. */
import type { DNSResolver } from 'mailauth'
import type { Resolver } from './resolver.ts'

/** Returns records and throws errors like node:dns, as the package expects. */
export function mailauthLookup(resolver: Resolver, signal: AbortSignal): DNSResolver {
  const lookup = async (name: string, type: string) => {
    switch (type) {
      case 'TXT':
        return (await query(resolver, name, 'TXT', signal)).map((text) => [text])
      case 'MX':
        return (await query(resolver, name, 'MX', signal)).map(({ preference, exchange }) => ({
          priority: preference,
          exchange,
        }))
      case 'A':
      case 'AAAA':
      // RFC 9989 §3.2.13: an alias exists, also if its target does not.
      case 'CNAME':
      case 'PTR':
        return query(resolver, name, type, signal)
      default:
        throw dnsError(name, 'ENODATA')
    }
  }
  // The package's type omits MX records, which it reads as node:dns returns them.
  return lookup as unknown as DNSResolver
}

async function query<K extends 'TXT' | 'MX' | 'A' | 'AAAA' | 'CNAME' | 'PTR'>(
  resolver: Resolver,
  name: string,
  type: K,
  signal: AbortSignal,
) {
  const answer = await resolver.query(name, type, signal)
  if (answer.kind === 'Found') return answer.records
  if (answer.kind === 'NoData') throw dnsError(name, 'ENODATA')
  // A name that cannot be queried does not exist.
  if (answer.kind === 'NoSuchName' || answer.code === 'EBADNAME') throw dnsError(name, 'ENOTFOUND')
  throw dnsError(name, answer.code)
}

const dnsError = (name: string, code: string): Error => Object.assign(new Error(`${code} ${name}`), { code })
