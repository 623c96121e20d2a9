/** A filter of addresses: one mailbox, or all of a domain. Pure. */
import { domainOf } from './address.ts'
import { normaliseDomain } from './domain.ts'

export type MailboxFilter = { kind: 'address'; address: string } | { kind: 'domain'; domain: string }

/**
 * @param text a mailbox, a domain, or `<>` for the null reverse path
 * @returns null for any other text
 */
export function parseMailboxFilter(text: string): MailboxFilter | null {
  if (text === '<>') return { kind: 'address', address: '' }
  if (text.includes('@')) return { kind: 'address', address: text }
  const domain = normaliseDomain(text)
  return domain === null ? null : { kind: 'domain', domain }
}

/**
 * Ignores letter case, also of the local part: RFC 5321 §2.4 lets a server distinguish it, but who searches rarely knows
 * how the sender wrote it.
 */
export function mailboxMatches(address: string, filter: MailboxFilter): boolean {
  if (filter.kind === 'domain') return domainOf(address) === filter.domain
  if (address === filter.address) return true
  const domain = domainOf(address)
  return (
    domain !== null && domain === domainOf(filter.address) && localPart(address) === localPart(filter.address)
  )
}

const localPart = (address: string): string => address.slice(0, address.lastIndexOf('@')).toLowerCase()
