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
 * Returns the same text for spellings of a mailbox that differ only in the case of ASCII letters. Other letters keep
 * their case, because two different letters may have one lower-case form: the kelvin sign becomes `k`, as K does.
 */
export const comparableMailbox = (address: string): string =>
  address.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
