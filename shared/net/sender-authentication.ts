/**
 * Verifies by SPF (RFC 7208) that the owner of the reverse path's domain lets the client send. The attack: a record with
 * many names makes this deployment query a third party's name servers, or name servers that answer late. The defence:
 * the number of queries and the time are limited. A DKIM signature is not used: anyone who has a signed message can send
 * it again to other recipients, and its verification costs time and memory that grow with the message.
 */
import type { Message } from '../contract/message.ts'
import { mailauthLookup } from './mailauth-lookup.ts'
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
    resolver: mailauthLookup(resolver, AbortSignal.timeout(timeoutMs)),
    maxResolveCount: maxLookups,
    maxElapsedTime: timeoutMs,
  }).catch(() => null)
  return result !== null && result.status.result === 'pass'
}
