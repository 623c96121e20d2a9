/** Mailboxes as they stand in the envelope (RFC 5321 §4.1.2). */
import { normaliseDomain } from './domain.ts'

/**
 * The domain of a mailbox in comparable form, or null for the null reverse path, an address literal or anything
 * without a domain. The last `@` counts: a quoted local part may hold others.
 */
export function domainOf(address: string): string | null {
  const at = address.lastIndexOf('@')
  return at < 0 ? null : normaliseDomain(address.slice(at + 1))
}

/**
 * The same for two spellings of one mailbox. Letters of ASCII alone lose their case: of others, two that differ may
 * share a small one, and the sign for kelvin has that of K.
 */
export const mailboxOf = (address: string): string =>
  address.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
