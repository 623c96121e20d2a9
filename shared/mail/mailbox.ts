/** Reads a mailbox that an administrator states (RFC 5321 §4.1.2, RFC 6531 §3.3). Pure. */
import { isIPv4, isIPv6 } from 'node:net'
import { normaliseDomain } from './domain.ts'
import { comparableLocalPart, localPartFault } from './recipient-address.ts'

export interface Mailbox {
  /** In comparable form: without quotes that are not needed, ASCII letters in lower case. */
  localPart: string
  /** In comparable form, or an address literal such as `[192.0.2.1]`. */
  domain: string
}

/** @returns what is wrong with a text that is no mailbox; the fault does not repeat the text */
export function readMailbox(text: string): Mailbox | { fault: string } {
  const at = text.lastIndexOf('@')
  if (at < 0)
    return {
      fault: normaliseDomain(text) === null ? 'has no @' : 'is a domain; give the address of one mailbox',
    }
  const localPart = comparableLocalPart(text.slice(0, at))
  const fault = localPart === '' ? 'has no local part' : localPartFault(localPart)
  if (fault !== null) return { fault }
  const domainText = text.slice(at + 1)
  const domain = isAddressLiteral(domainText) ? domainText.toLowerCase() : normaliseDomain(domainText)
  return domain === null ? { fault: 'has no valid domain after its @' } : { localPart, domain }
}

/** RFC 5321 §4.1.3. */
function isAddressLiteral(text: string): boolean {
  const [, literal] = /^\[(.+)\]$/s.exec(text) ?? []
  if (literal === undefined) return false
  return /^ipv6:/i.test(literal) ? isIPv6(literal.slice(5)) && !literal.includes('%') : isIPv4(literal)
}
