/**
 * Verifies that the owner of the reverse path's domain takes responsibility for a message: by SPF (RFC 7208), or by a
 * DKIM signature of that domain (RFC 6376). The attacks: a header with thousands of signatures, each of which causes a
 * DNS query; a domain whose name servers answer late. The defence: the number of signatures and queries, the header's
 * size and the time are limited.
 */
import type { DNSResolver } from 'mailauth'
import type { Message } from '../contract/message.ts'
import { domainOf } from '../mail/address.ts'
import { headerSection } from '../mail/header-section.ts'
import type { Resolver } from './resolver.ts'

const maxSignatures = 6
const maxHeaderOctets = 262_144
/** For all DNS queries about a message together. */
const timeoutMs = 5_000

/** A message that a client sent. */
export type ReceivedMessage = Pick<Message, 'envelope'> & { source: NonNullable<Message['source']> }

/**
 * Whether SPF or DKIM vouches for the reverse path. A DNS failure vouches for nothing.
 * @param read returns the message's octets; called only when SPF does not pass
 * @throws when `read` throws
 */
export async function isSenderAuthenticated(
  message: ReceivedMessage,
  hostname: string,
  read: () => Promise<Buffer>,
  resolver: Resolver,
): Promise<boolean> {
  const lookup = dnsLookup(resolver, AbortSignal.timeout(timeoutMs))
  return (await passesSpf(message, hostname, lookup)) || isSignedBy(message, await read(), lookup)
}

async function passesSpf(
  { envelope: { mailFrom }, source: { ip, helo } }: ReceivedMessage,
  mta: string,
  resolver: Lookup,
): Promise<boolean> {
  // Loaded on first use: most cold starts authenticate nothing.
  const { spf } = await import('mailauth/lib/spf/index.js')
  const result = await spf({ sender: mailFrom, ip, helo, mta, resolver, maxElapsedTime: timeoutMs }).catch(
    () => null,
  )
  return result !== null && result.status.result === 'pass'
}

async function isSignedBy(
  { envelope: { mailFrom } }: ReceivedMessage,
  octets: Buffer,
  resolver: Lookup,
): Promise<boolean> {
  const domain = domainOf(mailFrom)
  const header = headerSection(octets).toString('latin1')
  const signatures = header.match(/^dkim-signature[ \t]*:/gim)?.length ?? 0
  if (domain === null || signatures === 0 || signatures > maxSignatures || header.length > maxHeaderOctets)
    return false
  const { dkimVerify } = await import('mailauth/lib/dkim/verify.js')
  const result = await dkimVerify(octets, { resolver, rejectRsaSha1: true }).catch(() => null)
  return (result?.results ?? []).some(
    ({ status, signingDomain, canonBodyLengthLimited }) =>
      status.result === 'pass' &&
      !canonBodyLengthLimited &&
      isWithin(domain, (signingDomain ?? '').toLowerCase()),
  )
}

const isWithin = (domain: string, parent: string): boolean => `.${domain}`.endsWith(`.${parent}`)

type Lookup = DNSResolver

/** Returns records and throws errors like node:dns, as mailauth expects. */
function dnsLookup(resolver: Resolver, signal: AbortSignal): Lookup {
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
  return lookup as unknown as Lookup
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
