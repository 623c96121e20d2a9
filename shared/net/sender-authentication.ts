/**
 * Verifies by SPF (RFC 7208) that the owner of the reverse path's domain lets the client send. The attack: a record with
 * many names makes this deployment query a third party's name servers, or name servers that answer late. The defence:
 * the number of queries and the time are limited. A DKIM signature is not used: anyone who has a signed message can send
 * it again to other recipients, and its verification costs time and memory that grow with the message.
 */
import type { DNSResolver } from 'mailauth'
import type { Message } from '../contract/message.ts'
import type { Resolver } from './resolver.ts'

const timeoutMs = 5_000
/** RFC 7208 §4.6.4 permits ten. */
const maxLookups = 5

/** A message that a client sent. */
export type ReceivedMessage = Pick<Message, 'envelope'> & { source: NonNullable<Message['source']> }

/** Whether SPF passes for the reverse path. A DNS failure is no pass. @param mta the name of this gateway */
export async function passesSpf(
  { envelope: { mailFrom }, source: { ip, helo } }: ReceivedMessage,
  mta: string,
  resolver: Resolver,
): Promise<boolean> {
  // Loaded on first use: most cold starts authenticate nothing.
  const { spf } = await import('mailauth/lib/spf/index.js')
  const result = await spf({
    ...{ sender: mailFrom, ip, helo, mta },
    resolver: dnsLookup(resolver, AbortSignal.timeout(timeoutMs)),
    maxResolveCount: maxLookups,
    maxElapsedTime: timeoutMs,
  }).catch(() => null)
  return result !== null && result.status.result === 'pass'
}

/** Returns records and throws errors like node:dns, as mailauth expects. */
function dnsLookup(resolver: Resolver, signal: AbortSignal): DNSResolver {
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
        return query(resolver, name, type, signal)
      default:
        // RFC 7208 §5.5 advises against the only mechanism that needs another type, `ptr`.
        throw dnsError(name, 'ENODATA')
    }
  }
  // The package's type omits MX records, which it reads as node:dns returns them.
  return lookup as unknown as DNSResolver
}

async function query<K extends 'TXT' | 'MX' | 'A' | 'AAAA'>(
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
