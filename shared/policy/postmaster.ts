/** The mailbox that receives mail to the gateway's own postmaster (RFC 5321 §4.5.1, RFC 2142 §5). */
import { comparableMailbox, domainOf } from '../mail/address.ts'
import type { Snapshot } from './snapshot.ts'

export interface PostmasterSettings {
  /** Host name of the gateway, in comparable form. */
  hostname: string
  /** The mailbox for its mail. Null: postmaster of an accepted domain. */
  mailbox: string | null
}

/**
 * Returns the mailbox for `postmaster` without a domain and for `postmaster@` and the host name. Other addresses are
 * returned unchanged, and these too if there is neither a configured mailbox nor an accepted domain.
 */
export function resolvePostmaster(
  address: string,
  snapshot: Snapshot,
  { hostname, mailbox }: PostmasterSettings,
): string {
  if (!isGatewayPostmaster(address, hostname)) return address
  if (mailbox !== null) return mailbox
  const domain = postmasterDomain(snapshot, hostname)
  return domain === null ? address : `postmaster@${domain}`
}

/**
 * The operator may configure a mailbox outside the accepted domains. Mail to it is accepted from every client, because
 * mail to the gateway's postmaster is. This grants relay to that one mailbox only.
 */
export const isPostmasterMailbox = (address: string, { mailbox }: PostmasterSettings): boolean =>
  mailbox !== null && comparableMailbox(address) === comparableMailbox(mailbox)

/** RFC 5321 §4.1.2: the quoted form of a local part names the same mailbox. */
const postmasterLocalPart = /^(?:postmaster|"postmaster")$/i

function isGatewayPostmaster(address: string, hostname: string): boolean {
  const at = address.lastIndexOf('@')
  return at < 0
    ? address.toLowerCase() === 'postmaster'
    : postmasterLocalPart.test(address.slice(0, at)) && domainOf(address) === hostname
}

/**
 * The longest accepted domain that is or contains the host name; otherwise the domain that was accepted first, which
 * stays the same when another is added.
 */
function postmasterDomain({ acceptedDomains }: Snapshot, hostname: string): string | null {
  for (let domain = hostname; ; ) {
    if (acceptedDomains.has(domain)) return domain
    const dot = domain.indexOf('.')
    if (dot < 0) break
    domain = domain.slice(dot + 1)
  }
  const [first = null] = acceptedDomains
  return first
}
