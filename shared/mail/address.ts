/** Mailboxes of the envelope (RFC 5321 §4.1.2). */
import { normaliseDomain } from './domain.ts'

/**
 * Returns the domain of a mailbox in comparable form. Returns null for the null reverse path, an address literal or a
 * text without a domain. The domain begins after the last `@`, because a quoted local part may contain another `@`.
 */
export function domainOf(address: string): string | null {
  const at = address.lastIndexOf('@')
  return at < 0 ? null : normaliseDomain(address.slice(at + 1))
}

/**
 * Returns the same text for two spellings of one mailbox. Only ASCII letters lose their case: other letters may share a
 * lower-case form with a different letter, as the kelvin sign does with K.
 */
export const comparableMailbox = (address: string): string =>
  address.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
